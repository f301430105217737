"""Actions: what is pressed most, in rows that stay where they are, whatever the panels below have to say."""

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
        """The tool; a button each; in its place, while it runs or waits, how far it is."""
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
        column.enabled = not TARGETS[settings.target].rules.found  # such are exported where they are found
        draw_job(column, "export", clip, summary)


class SPLATMATTE_PT_actions(_Actions, bpy.types.Panel):
    """Above all panels of the sidebar."""


class SPLATMATTE_PT_toolbar(_Actions, bpy.types.Panel):
    """In the toolbar, where nothing below makes it scroll."""

    bl_region_type = "TOOLS"  # type: ignore[assignment]  # elsewhere than the others


_warmed_up = False


def _warm_up() -> None:
    """Once, when something is marked: the first preview or track then need not wait for all of it."""
    global _warmed_up
    if not _warmed_up:
        _warmed_up = True
        bpy.app.timers.register(job_run.warm_up, first_interval=0.1)  # nothing is started while Blender draws
