"""Remove a mark: one point or box, of any object, on any frame."""

from __future__ import annotations

import bpy

from ..clip.editors import redraw
from ..clip.footage import active_clip
from ..clip.marks import remove_mark
from ..clip.prompts import Mark
from ..language import translated
from ..language.properties import BoolProperty, IntProperty, StringProperty
from .base import Result, in_clip_editor


class SPLATMATTE_OT_remove_mark(bpy.types.Operator):
    """Remove this mark"""

    bl_idname = "splat_matte.remove_mark"
    bl_label = "Remove Mark"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    frame: IntProperty(name="Frame", description="The clip frame", options={"HIDDEN", "SKIP_SAVE"})
    name: StringProperty(name="Object", description="Name of the object", options={"HIDDEN", "SKIP_SAVE"})
    track: StringProperty(name="Track", description="Name of the track", options={"HIDDEN", "SKIP_SAVE"})
    is_box: BoolProperty(name="Box", description="It is a plane track", options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """A clip in a clip editor."""
        return in_clip_editor(cls, context)

    def execute(self, context: bpy.types.Context) -> Result:
        """If it is still there."""
        marked: bpy.types.MovieTrackingObject | None = active_clip(context).tracking.objects.get(self.name)
        if marked is None or self.track not in (marked.plane_tracks if self.is_box else marked.tracks):
            self.report({"WARNING"}, translated("The mark is gone already"))
            return {"CANCELLED"}
        space: bpy.types.SpaceClipEditor = context.space_data  # type: ignore[assignment]
        remove_mark(space, self.name, Mark(self.frame, "box" if self.is_box else "include", self.track))
        redraw()
        return {"FINISHED"}
