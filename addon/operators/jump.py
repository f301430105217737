"""Jump: to the previous or next frame of a kind."""

from __future__ import annotations

import bpy

from ..clip.footage import active_clip, scene_frame, shown_frame
from ..clip.frame_status import KINDS, stops
from ..language import translated
from ..language.properties import BoolProperty, EnumProperty
from .base import Result, has_clip


class SPLATMATTE_OT_jump(bpy.types.Operator):
    """Go to the next marked or suspect frame, or to where tracked, stale or exported frames begin or end"""

    bl_idname = "splat_matte.jump"
    bl_label = "Jump"
    bl_options = {"REGISTER", "UNDO_GROUPED"}
    bl_undo_group = "Frame Change"  # as Blender's own jumps: many of them are one step

    kind: EnumProperty(
        name="To",
        description="Destination of the jump",
        items=[(name, kind.label, kind.description) for name, kind in KINDS.items()],
        default="prompted",
        options={"SKIP_SAVE"},
    )
    backwards: BoolProperty(
        name="Backwards", description="To the one before this frame, not to the one after it", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require a clip."""
        return has_clip(cls, context)

    def execute(self, context: bpy.types.Context) -> Result:
        """Go to the frame, if there is one."""
        clip = active_clip(context)
        here = shown_frame(clip, context.space_data, context.scene)
        found = stops(clip, self.kind)
        ahead = [frame for frame in found if (frame < here if self.backwards else frame > here)]
        if not ahead:
            label = translated(KINDS[self.kind].label)
            words = "{1}: no such frame before this one" if self.backwards else "{1}: no such frame after this one"
            self.report({"INFO"}, translated(words, label))
            return {"CANCELLED"}
        context.scene.frame_current = scene_frame(clip, ahead[-1] if self.backwards else ahead[0])
        return {"FINISHED"}
