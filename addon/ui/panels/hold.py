"""Hold: protects frames from corrections on other frames."""

from __future__ import annotations

import bpy

from ...clip.footage import scene_frame
from ...clip.prompts import count_of
from ...language import CONTEXT, translated
from ...settings.clip_settings import ClipSettings
from ..text import draw_text
from .base import ClipPanel
from .job import draw_pending


class SPLATMATTE_PT_hold(ClipPanel, bpy.types.Panel):
    """The held frames of the selected object."""

    bl_label = "Hold"
    bl_parent_id = "SPLATMATTE_PT_review"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_clip(self, context: bpy.types.Context, clip: bpy.types.MovieClip, settings: ClipSettings) -> None:
        """Draw the range and its button, From Here On, the held ranges, and a warning that the result is pieced
        together.
        """
        layout = self.layout
        row = layout.row(align=True)
        row.prop(settings, "scene_hold_start", text="Frames", text_ctxt=CONTEXT)
        row.prop(settings, "scene_hold_end", text="")
        layout.operator("splat_matte.hold", icon="LOCKED")
        row = layout.row(align=True)
        if not draw_pending(row, "track", clip):
            row.operator("splat_matte.from_here_on", icon="TRACKING_FORWARDS")
        entry = settings.chosen()
        if entry is None or not entry.held:
            draw_text(layout, context, "Nothing is held: a new mark changes all frames of its object.", "INFO", lines=2)
            return
        for run in entry.held_runs():
            row = layout.row(align=True)
            frames = translated("{1} to {2}", scene_frame(clip, run.first), scene_frame(clip, run.last))
            text = frames if run.last > run.first else str(scene_frame(clip, run.first))
            row.label(text=text, translate=False, icon="LOCKED")
            row.label(text=translated("take {1}", run.take[:8]), translate=False)
            release = row.operator("splat_matte.release", text="", icon="X")
            release.name, release.first = entry.name, run.first
        count = count_of(len(entry.held_frames()), "frame")
        words = translated("Pieced together: {1} of {2} keep earlier mattes. Look where they meet.", count, entry.name)
        draw_text(layout, context, words, "INFO", lines=2, translate=False)
