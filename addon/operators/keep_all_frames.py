"""Keep all frames: clear the selection of frames."""

from __future__ import annotations

import bpy

from ..clip.editors import redraw
from ..clip.footage import active_clip
from ..language import translated
from ..settings.clip_settings import settings_of
from .base import Result


class SPLATMATTE_OT_keep_all_frames(bpy.types.Operator):
    """Export all frames again"""

    bl_idname = "splat_matte.keep_all_frames"
    bl_label = "Keep All Frames"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require dropped frames."""
        clip = active_clip(context)
        if clip is None or not settings_of(clip).dropped:
            cls.poll_message_set(translated("No frame is dropped"))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> Result:
        """Clear the selection."""
        settings_of(active_clip(context)).drop(())
        redraw()
        return {"FINISHED"}
