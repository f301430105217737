"""Switch: whether an object gets a matte."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from ..clip.footage import active_clip
from ..properties import settings_of
from .base import Result


class SPLATMATTE_OT_switch_object(bpy.types.Operator):
    """Make a matte of this object, or leave it out"""

    bl_idname = "splat_matte.switch_object"
    bl_label = "Switch Object"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}  # noqa: RUF012 (Blender's way)

    name: StringProperty(name="Object", options={"HIDDEN", "SKIP_SAVE"})  # type: ignore[valid-type]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """A clip."""
        return active_clip(context) is not None

    def execute(self, context: bpy.types.Context) -> Result:
        """On becomes off, off becomes on."""
        clip = active_clip(context)
        if clip is None:
            return {"CANCELLED"}
        entry = settings_of(clip).entry(self.name)
        entry.use = not entry.use
        return {"FINISHED"}
