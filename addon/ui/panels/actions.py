"""Actions: the most frequent buttons, in rows whose height does not depend on the panels below."""

from __future__ import annotations

import bpy

from ...clip.summary import shown_summary_of
from ...contract.targets import TARGETS
from ...language import CONTEXT
from ...operators import mark_subject
from ...settings.clip_settings import ClipSettings
from ...tasks import job_run
from ...viewer import previews
from .base import ClipPanel
from .job import HEIGHT, draw_job, is_marked, missing_engine


class _Actions(ClipPanel):
    """Mark, preview, track, export."""

    bl_label = "Actions"
    bl_options = {"HIDE_HEADER"}

    def draw_clip(self, context: bpy.types.Context, clip: bpy.types.MovieClip, settings: ClipSettings) -> None:
        """Draw the tool and one button per verb; a running or waiting Job replaces its button by its progress."""
        layout = self.layout
        summary = shown_summary_of(clip)
        can_start = missing_engine() is None
        if can_start and is_marked(summary):
            _warm_up()
        tool = layout.row()
        tool.scale_y = HEIGHT
        tool.operator("splat_matte.mark_subject", icon="CURSOR", depress=mark_subject.is_on())
        row = layout.row(align=True)
        row.use_property_split = False
        row.enabled = can_start
        preview = row.row(align=True)
        preview.enabled = is_marked(summary)
        preview.operator(
            "splat_matte.preview", text=previews.waiting(clip.name) or "Preview", text_ctxt=CONTEXT, icon="HIDE_OFF"
        )
        row.prop(settings, "live", toggle=True)
        draw_job(layout, "track", clip, summary)
        column = layout.column()
        column.enabled = not TARGETS[settings.target].rules.found  # exported from Without Clicking
        draw_job(column, "export", clip, summary)


class SPLATMATTE_PT_actions(_Actions, bpy.types.Panel):
    """The actions above all panels of the sidebar."""


class SPLATMATTE_PT_toolbar(_Actions, bpy.types.Panel):
    """The actions in the toolbar, where they never scroll out of sight."""

    bl_region_type = "TOOLS"  # type: ignore[assignment]  # not in the sidebar


_warmed_up = False


def _warm_up() -> None:
    """Start the engine once something is marked, so that the first preview or track waits less."""
    global _warmed_up
    if not _warmed_up:
        _warmed_up = True
        bpy.app.timers.register(job_run.warm_up, first_interval=0.1)  # a process can't be started while Blender draws
