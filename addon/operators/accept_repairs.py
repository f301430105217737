"""Accept: offered repairs become mask prompts, one layer of the clip's mask for each object."""

from __future__ import annotations

import bpy

from ..clip.editors import redraw
from ..clip.footage import active_clip, coordinates_of, read_footage, shown_frame
from ..clip.mask import REPAIR
from ..clip.names import follow_names
from ..clip.prompts import count_of
from ..contract.errors import JobError, MatteError
from ..language import translated
from ..language.properties import BoolProperty
from ..settings.clip_settings import settings_of
from ..viewer.repairs import offers_of, outlines_on
from .base import Result, fail, in_clip_editor
from .to_mask import make_mask

_LONGEST = 63  # longest name of a layer in bytes


class SPLATMATTE_OT_accept_repairs(bpy.types.Operator):
    """Make the matte that is offered on this frame a mask prompt: a keyed layer of the clip's mask, to be edited"""

    bl_idname = "splat_matte.accept_repairs"
    bl_label = "Accept Repairs"
    bl_options = {"UNDO"}

    every: BoolProperty(name="All", description="Those of all frames", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require an offer."""
        if not in_clip_editor(cls, context):
            return False
        if not offers_of(active_clip(context)):
            cls.poll_message_set(translated("No repair is offered"))
            return False
        return True

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        """Return the tooltip for one frame or for all."""
        if properties.every:
            return translated("Make all offered mattes mask prompts: a layer of the clip's mask for each object, keyed")
        return ""

    def execute(self, context: bpy.types.Context) -> Result:
        """Make the layers."""
        clip = active_clip(context)
        settings = settings_of(clip)
        here = shown_frame(clip, context.space_data, context.scene)
        taken = {
            name: kept
            for name, found in offers_of(clip).items()
            if (kept := [frame for frame in found if self.every or frame == here])
        }
        if not taken:
            self.report({"INFO"}, translated("No repair is offered on this frame"))
            return {"CANCELLED"}
        try:
            for name in taken:
                if len(f"{name}{REPAIR}.000".encode()) > _LONGEST:
                    raise JobError("This object's name is too long for a layer.", where=name, hint="Shorten it.")
            layers = {f"{name}{REPAIR}": outlines_on(clip, name, frames) for name, frames in taken.items()}
            settings.mask = make_mask(context, clip, coordinates_of(clip, read_footage(clip)[0]), layers, settings.mask)
        except MatteError as error:
            return fail(self, error)
        follow_names(clip)
        count = sum(map(len, taken.values()))
        self.report({"INFO"}, translated("{1} accepted. Track again", count_of(count, "repair")))
        redraw()
        return {"FINISHED"}
