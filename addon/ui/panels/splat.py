"""Splat: what a trainer made of the exported images, cleaned by their mattes."""

from __future__ import annotations

import bpy

from ...contract.errors import Cancelled
from ...language import CONTEXT, translated
from ...operators.job_operator import outcome
from ...settings.clip_settings import ClipSettings
from ...tasks import job_run
from ..text import draw_error, draw_text
from .base import ClipPanel
from .job import draw_run, missing_engine


class SPLATMATTE_PT_splat(ClipPanel, bpy.types.Panel):
    """What was trained with the mattes."""

    bl_label = "Trained Splat"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_clip(self, context: bpy.types.Context, clip: bpy.types.MovieClip, settings: ClipSettings) -> None:
        """The splat and its cameras; count and clean; how it went."""
        layout = self.layout
        layout.prop(settings, "splat")
        layout.prop(settings, "poses", placeholder=translated("solved camera"))
        layout.prop(settings, "clean_views")
        layout.prop(settings, "clean_floaters")
        row = layout.row(align=True)
        if (run := job_run.pending_of("clean", clip)) is not None:
            draw_run(row, run)
            return
        row.enabled = missing_engine() is None
        row.operator("splat_matte.clean_splat", text="Count", text_ctxt=CONTEXT, icon="VIEWZOOM").count = True
        row.operator("splat_matte.clean_splat", icon="BRUSH_DATA")
        run = job_run.latest(clip.name)
        if run is None or run.verb != "clean":
            return
        if run.error is None:
            draw_text(layout, context, outcome(run), "CHECKMARK", translate=False)
        elif not isinstance(run.error, Cancelled):
            draw_error(layout, context, run.error)
