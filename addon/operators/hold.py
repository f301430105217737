"""Hold: frames keep their mattes while the others are tracked again."""

from __future__ import annotations

import bpy

from ..clip.editors import redraw
from ..clip.footage import active_clip
from ..clip.held import hold
from ..contract.errors import MatteError
from ..language import translated
from ..settings.clip_settings import settings_of
from .base import Result, fail


class SPLATMATTE_OT_hold(bpy.types.Operator):
    """Keep the mattes of these frames of the chosen object while its other frames are tracked again"""

    bl_idname = "splat_matte.hold"
    bl_label = "Hold"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require a tracked object."""
        return is_tracked(cls, context)

    def execute(self, context: bpy.types.Context) -> Result:
        """Hold the panel's range."""
        clip = active_clip(context)
        settings = settings_of(clip)
        last = min(settings.hold_end, clip.frame_duration)
        try:
            hold(clip, clip.tracking.objects.active.name, range(settings.hold_start, last + 1))
        except MatteError as error:
            return fail(self, error)
        redraw()
        return {"FINISHED"}


def is_tracked(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Require that the selected object has mattes; for `poll`, with a message that says what to do."""
    clip = active_clip(context)
    active = clip.tracking.objects.active if clip is not None else None
    if active is None or not settings_of(clip).take_of(active.name):
        operator.poll_message_set(translated("Track the chosen object first"))
        return False
    return True
