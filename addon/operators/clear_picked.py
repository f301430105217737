"""Clear: unpick everything that was found."""

from __future__ import annotations

import bpy

from ..clip.editors import redraw
from ..clip.footage import active_clip
from ..settings.clip_settings import settings_of
from .base import Result


class SPLATMATTE_OT_clear_picked(bpy.types.Operator):
    """Pick nothing. What was found is kept"""

    bl_idname = "splat_matte.clear_picked"
    bl_label = "Clear"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require that something is picked."""
        clip = active_clip(context)
        return clip is not None and bool(settings_of(clip).found.numbers)

    def execute(self, context: bpy.types.Context) -> Result:
        """Clear the picks of the shown kind, things or parts."""
        settings_of(active_clip(context)).found.numbers = ""
        redraw()
        return {"FINISHED"}
