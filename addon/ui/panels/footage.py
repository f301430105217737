"""Footage: the files that will be read."""

from __future__ import annotations

import bpy

from ...clip.footage import scene_frame
from ...clip.prompts import count_of
from ...clip.summary import shown_summary_of
from ...contract.errors import FootageError
from ...language import CONTEXT, translated
from ...settings.clip_settings import settings_of
from ...tasks import job_run
from ..text import draw_error, draw_text
from .base import Panel, clip_of
from .job import draw_pending


class SPLATMATTE_PT_footage(Panel, bpy.types.Panel):
    """The files that will be read."""

    bl_label = "Footage"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the clip and its warnings."""
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
        _draw_scene_frames(layout, context, clip)
        layout.prop(settings_of(clip), "panorama")
        _draw_static(layout, context, clip)
        for warning in summary.warnings:
            draw_text(layout, context, warning, "ERROR")
        if summary.warnings:
            layout.operator("clip.reload", text="Reload Clip", text_ctxt=CONTEXT, icon="FILE_REFRESH")


def _draw_scene_frames(layout: bpy.types.UILayout, context: bpy.types.Context, clip: bpy.types.MovieClip) -> None:
    """Draw a note and a button if the scene's frame range differs from the clip's."""
    scene = context.scene
    first, last = scene_frame(clip, 1), scene_frame(clip, clip.frame_duration)
    if (scene.frame_start, scene.frame_end) != (first, last):
        ends = first, last, scene.frame_start, scene.frame_end
        words = translated("Clip: {1} to {2}. Scene: {3} to {4}.", *ends)
        draw_text(layout, context, words, "INFO", translate=False)
        layout.operator("splat_matte.set_scene_frames", icon="PREVIEW_RANGE")


def _draw_static(layout: bpy.types.UILayout, context: bpy.types.Context, clip: bpy.types.MovieClip) -> None:
    """Draw the settings of the static mask."""
    header, body = layout.panel("splat_matte_static", default_closed=True)
    header.label(text="Static Mask", text_ctxt=CONTEXT)
    if body is None:
        return
    settings = settings_of(clip)
    body.use_property_split, body.use_property_decorate = True, False
    body.prop(settings, "static_mask", text="Mask", text_ctxt=CONTEXT)
    body.prop(settings, "static_file")
    row = body.row(align=True)
    if draw_pending(row, "static", clip):
        return
    row.operator("splat_matte.find_static", icon="VIEWZOOM")
    run = job_run.latest(clip.name)
    if run is not None and run.verb == "static" and run.error is not None:
        draw_error(body, context, run.error)
