"""Trained Splat: cleans a splat that was trained on the exported images, with their mattes."""

from __future__ import annotations

import bpy

from ...language import CONTEXT, translated
from ...settings.clip_settings import ClipSettings
from .base import ClipPanel
from .job import draw_end, draw_pending


class SPLATMATTE_PT_splat(ClipPanel, bpy.types.Panel):
    """A splat that was trained with the mattes."""

    bl_label = "Trained Splat"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_clip(self, context: bpy.types.Context, clip: bpy.types.MovieClip, settings: ClipSettings) -> None:
        """Draw the splat and its cameras, count and clean, and the result."""
        layout = self.layout
        layout.prop(settings, "splat")
        layout.prop(settings, "poses", placeholder=translated("solved camera"))
        layout.prop(settings, "clean_views")
        layout.prop(settings, "clean_floaters")
        row = layout.row(align=True)
        if draw_pending(row, "clean", clip):
            return
        row.operator("splat_matte.clean_splat", text="Count", text_ctxt=CONTEXT, icon="VIEWZOOM").count = True
        row.operator("splat_matte.clean_splat", icon="BRUSH_DATA")
        draw_end(layout, context, "clean", clip)
