"""Set Scene Frames: make the scene begin and end with the clip."""

from __future__ import annotations

import bpy

from ..clip.footage import active_clip, scene_frame
from .base import Result, has_clip


class SPLATMATTE_OT_set_scene_frames(bpy.types.Operator):
    """Have the scene begin with the clip's first frame and end with its last one"""

    bl_idname = "splat_matte.set_scene_frames"
    bl_label = "Set Scene Frames"
    bl_options = {"REGISTER", "UNDO"}  # unlike Blender's own operator of this name

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require a clip."""
        return has_clip(cls, context)

    def execute(self, context: bpy.types.Context) -> Result:
        """Set both ends and move the current frame inside."""
        clip, scene = active_clip(context), context.scene
        first, last = scene_frame(clip, 1), scene_frame(clip, clip.frame_duration)
        scene.frame_end = last  # Blender moves the start, too, if necessary
        scene.frame_start = first
        scene.frame_current = min(max(scene.frame_current, first), last)
        return {"FINISHED"}
