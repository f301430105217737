"""Object from tracks: move the selected tracks into a new object."""

from __future__ import annotations

import bpy

from ..clip.footage import active_clip
from ..clip.names import follow_names
from ..language import translated
from .base import Result
from .role import selected_tracks


class SPLATMATTE_OT_object_from_tracks(bpy.types.Operator):
    """Move the selected tracks into a new object, which gets a matte of its own"""

    bl_idname = "splat_matte.object_from_tracks"
    bl_label = "Object from Tracks"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require selected tracks in a clip editor."""
        space = context.space_data
        if not isinstance(space, bpy.types.SpaceClipEditor) or not space.clip or not selected_tracks(space.clip):
            cls.poll_message_set(translated("Select tracks first"))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> Result:
        """Use Blender's own copy, delete and paste."""
        clip = active_clip(context)
        bpy.ops.clip.copy_tracks()
        bpy.ops.clip.delete_track()
        objects = clip.tracking.objects
        objects.active = objects.new("Object")
        bpy.ops.clip.paste_tracks()
        follow_names(clip)
        return {"FINISHED"}
