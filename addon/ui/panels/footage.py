"""Footage: what will be read."""

from __future__ import annotations

import bpy

from ...clip.prompts import count_of
from ...clip.summary import shown_summary_of
from ...contract.errors import FootageError
from ...language import CONTEXT, translated
from ...settings.clip_settings import settings_of
from ..text import draw_error, draw_text
from .base import Panel, clip_of


class SPLATMATTE_PT_footage(Panel, bpy.types.Panel):
    """What will be read."""

    bl_label = "Footage"

    def draw(self, context: bpy.types.Context) -> None:
        """The clip and what is odd about it."""
        layout = self.layout
        clip = clip_of(context)
        if clip is None:
            draw_text(layout, context, "Open an image sequence or a movie to start.", "INFO")
            layout.operator("clip.open", text="Open Footage", text_ctxt=CONTEXT, icon="FILE_FOLDER")
            return
        summary = shown_summary_of(clip)
        if summary.coordinates is None:
            draw_error(layout, context, summary.error)
            if isinstance(summary.error, FootageError):
                layout.operator("splat_matte.find_footage", icon="VIEWZOOM")
            layout.operator("clip.reload", text="Reload Clip", text_ctxt=CONTEXT, icon="FILE_REFRESH")
            return
        footage = summary.coordinates.footage
        draw_text(layout, context, clip.name, "SEQUENCE" if not footage.movie else "FILE_MOVIE", translate=False)
        count = count_of(footage.frame_count, "frame")
        words = translated("{1}, {2} x {3} pixels", count, footage.width, footage.height)
        draw_text(layout, context, words, translate=False)
        if footage.layer:
            draw_text(layout, context, f"Layer {footage.layer}")
        layout.prop(settings_of(clip), "panorama")
        for warning in summary.warnings:
            draw_text(layout, context, warning, "ERROR")
        if summary.warnings:
            layout.operator("clip.reload", text="Reload Clip", text_ctxt=CONTEXT, icon="FILE_REFRESH")
