"""Which Frames: the frames that are worth training on, found or chosen by hand."""

from __future__ import annotations

import bpy

from ...clip.footage import shown_frame
from ...language import CONTEXT, translated
from ...settings.clip_settings import ClipSettings
from ..text import draw_text
from .base import ClipPanel
from .job import draw_end, draw_pending


class SPLATMATTE_PT_frames(ClipPanel, bpy.types.Panel):
    """Which frames are exported."""

    bl_label = "Which Frames"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_clip(self, context: bpy.types.Context, clip: bpy.types.MovieClip, settings: ClipSettings) -> None:
        """Draw how many to keep, the search, its result, and the switch of this frame."""
        layout = self.layout
        layout.prop(settings, "select_count")
        row = layout.row(align=True)
        if not draw_pending(row, "select", clip):
            row.operator("splat_matte.select_frames", icon="VIEWZOOM")
        dropped = settings.dropped_frames()
        row = layout.row(align=True)
        if shown_frame(clip, context.space_data, context.scene) in dropped:
            row.operator("splat_matte.drop_frame", text="Keep This Frame", text_ctxt=CONTEXT, icon="CHECKBOX_DEHLT")
        else:
            row.operator("splat_matte.drop_frame", text="Drop This Frame", text_ctxt=CONTEXT, icon="CHECKBOX_HLT")
        row.operator("splat_matte.keep_all_frames", text="", icon="X")
        if dropped:
            _draw_dropped(layout, context, len(dropped), clip.frame_duration)
        draw_end(layout, context, "select", clip)


def _draw_dropped(layout: bpy.types.UILayout, context: bpy.types.Context, count: int, of: int) -> None:
    row = layout.row(align=True)
    for backwards, icon, text in ((True, "TRIA_LEFT", "Previous"), (False, "TRIA_RIGHT", "Next")):
        jump = row.operator("splat_matte.jump", text=text, text_ctxt=CONTEXT, icon=icon)  # type: ignore[arg-type]
        jump.kind, jump.backwards = "dropped", backwards
    words = translated("{1} of {2} frames are dropped: tracked, but not exported.", count, of)
    draw_text(layout, context, words, "INFO", translate=False)
