"""Mattes in the editor's own popover Overlays: how mattes and marks are drawn."""

from __future__ import annotations

import bpy

from ...language import CONTEXT
from ...settings.clip_settings import ClipSettings, settings_of
from .base import ClipPanel, clip_of


class SPLATMATTE_PT_overlay(ClipPanel, bpy.types.Panel):
    """The look of mattes and marks."""

    bl_label = "Mattes"
    bl_region_type = "HEADER"  # type: ignore[assignment]  # not in the sidebar
    bl_parent_id = "CLIP_PT_overlay" if hasattr(bpy.types, "CLIP_PT_overlay") else "CLIP_PT_display"  # before 5.0

    def draw_header(self, context: bpy.types.Context) -> None:
        """Draw the switch."""
        clip = clip_of(context)
        if clip is not None:
            self.layout.prop(settings_of(clip), "overlay_show", text="")

    def draw_clip(self, context: bpy.types.Context, clip: bpy.types.MovieClip, settings: ClipSettings) -> None:
        """Draw style, marks and frame status."""
        layout = self.layout
        column = layout.column()
        column.active = settings.overlay_show
        column.prop(settings, "overlay_style")
        if settings.overlay_style == "fill":
            column.prop(settings, "overlay_opacity", slider=True)
        row = column.row(align=True, heading="Wipe", heading_ctxt=CONTEXT)
        row.prop(settings, "overlay_wipe", text="")
        split = row.row(align=True)
        split.active = settings.overlay_wipe
        split.prop(settings, "overlay_split", text="", slider=True)
        split.operator("splat_matte.wipe", text="", icon="ARROW_LEFTRIGHT")
        column.prop(settings, "overlay_marks")
        layout.prop(settings, "overlay_lane")
