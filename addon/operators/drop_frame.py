"""Drop or keep: toggle whether the shown frame is exported."""

from __future__ import annotations

import bpy

from ..clip.editors import redraw
from ..clip.footage import active_clip, shown_frame
from ..language import translated
from ..settings.clip_settings import settings_of
from .base import Result, has_clip


class SPLATMATTE_OT_drop_frame(bpy.types.Operator):
    """Leave the frame that is shown out of the export, or take it back in"""

    bl_idname = "splat_matte.drop_frame"
    bl_label = "Drop or Keep Frame"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require that the clip shows one of its frames."""
        if not has_clip(cls, context):
            return False
        clip = active_clip(context)
        if not 1 <= shown_frame(clip, context.space_data, context.scene) <= clip.frame_duration:
            cls.poll_message_set(translated("Go to a frame of the clip"))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> Result:
        """Toggle the frame."""
        clip = active_clip(context)
        settings = settings_of(clip)
        settings.drop(settings.dropped_frames() ^ {shown_frame(clip, context.space_data, context.scene)})
        redraw()
        return {"FINISHED"}
