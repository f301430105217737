"""Remove a mark: one point, box, mask or frame of strokes, of any object."""

from __future__ import annotations

import bpy

from ..clip.editors import redraw
from ..clip.footage import active_clip
from ..clip.marks import is_there, remove_mark
from ..clip.prompts import Mark
from ..language import translated
from ..language.properties import IntProperty, StringProperty
from .base import Result, in_clip_editor


class SPLATMATTE_OT_remove_mark(bpy.types.Operator):
    """Remove this mark"""

    bl_idname = "splat_matte.remove_mark"
    bl_label = "Remove Mark"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    frame: IntProperty(name="Frame", description="The clip frame", options={"HIDDEN", "SKIP_SAVE"})
    name: StringProperty(name="Object", description="Name of the object", options={"HIDDEN", "SKIP_SAVE"})
    holder: StringProperty(name="Holder", description="Name of its track or layer", options={"HIDDEN", "SKIP_SAVE"})
    kind: StringProperty(name="Kind", description="What kind of mark it is", options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require a clip in a clip editor."""
        return in_clip_editor(cls, context)

    def execute(self, context: bpy.types.Context) -> Result:
        """Remove the mark, if it still exists."""
        mark = Mark(self.frame, self.kind, self.holder)
        if not is_there(active_clip(context), self.name, mark):
            self.report({"WARNING"}, translated("The mark is gone already"))
            return {"CANCELLED"}
        remove_mark(context, self.name, mark)
        redraw()
        return {"FINISHED"}
