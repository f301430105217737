"""Release: held frames are tracked again like others."""

from __future__ import annotations

import bpy

from ..clip.editors import redraw
from ..clip.footage import active_clip
from ..language.properties import IntProperty, StringProperty
from ..settings.clip_settings import settings_of
from .base import Result


class SPLATMATTE_OT_release(bpy.types.Operator):
    """Hold these frames no longer: they are tracked again with the others"""

    bl_idname = "splat_matte.release"
    bl_label = "Release"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    name: StringProperty(name="Object", description="Name of the object", options={"HIDDEN", "SKIP_SAVE"})
    first: IntProperty(name="First", description="First clip frame of the range", options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require a clip."""
        return active_clip(context) is not None

    def execute(self, context: bpy.types.Context) -> Result:
        """Release the range that begins at the frame."""
        entry = settings_of(active_clip(context)).objects.get(self.name)
        if entry is None:
            return {"CANCELLED"}
        entry.hold(run for run in entry.held_runs() if run.first != self.first)
        redraw()
        return {"FINISHED"}
