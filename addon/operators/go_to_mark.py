"""Go to a mark: show its frame and select its track."""

from __future__ import annotations

import bpy

from ..clip.footage import active_clip, scene_frame
from ..language.properties import IntProperty, StringProperty
from .base import Result, in_clip_editor


class SPLATMATTE_OT_go_to_mark(bpy.types.Operator):
    """Go to the frame of this mark"""

    bl_idname = "splat_matte.go_to_mark"
    bl_label = "Go to Mark"
    bl_options = {"REGISTER", "UNDO_GROUPED", "INTERNAL"}
    bl_undo_group = "Frame Change"  # like Blender's own jumps

    frame: IntProperty(name="Frame", description="The clip frame", options={"HIDDEN", "SKIP_SAVE"})
    name: StringProperty(name="Object", description="Name of the object", options={"HIDDEN", "SKIP_SAVE"})
    holder: StringProperty(name="Holder", description="Name of its track or layer", options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require a clip in a clip editor."""
        return in_clip_editor(cls, context)

    def execute(self, context: bpy.types.Context) -> Result:
        """Go to the frame and select the track, a plane track as Blender does."""
        clip = active_clip(context)
        for marked in (tracked for tracked in clip.tracking.objects if tracked.name == self.name):
            for track in (*marked.tracks, *marked.plane_tracks):
                track.select = track.name == self.holder
        context.scene.frame_current = scene_frame(clip, self.frame)
        return {"FINISHED"}
