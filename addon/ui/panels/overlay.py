"""Overlay: how the mattes are shown."""

from __future__ import annotations

import bpy

from ...language import CONTEXT
from ...settings.clip_settings import ClipSettings, settings_of
from .. import overlay
from ..text import draw_text
from .base import ClipPanel, clip_of


class SPLATMATTE_PT_overlay(ClipPanel, bpy.types.Panel):
    """How the mattes are shown."""

    bl_label = "Overlay"

    def draw_header(self, context: bpy.types.Context) -> None:
        """On and off."""
        clip = clip_of(context)
        if clip is not None:
            self.layout.prop(settings_of(clip), "overlay_show", text="")

    def draw_clip(self, context: bpy.types.Context, clip: bpy.types.MovieClip, settings: ClipSettings) -> None:
        """Style, lane; why nothing is to be seen."""
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
        layout.prop(settings, "overlay_lane")
        if overlay.is_stabilised(context.space_data):  # type: ignore[arg-type]
            draw_text(layout, context, "Mattes are not drawn over a stabilised plate: switch that off.", "INFO")
