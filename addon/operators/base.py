"""Types that the operators share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import bpy

# Blender takes an operator's methods from mix-ins too, as long as these are plain classes.
if TYPE_CHECKING:
    OperatorMixin = bpy.types.Operator
else:
    OperatorMixin = object

Result = set[Literal["RUNNING_MODAL", "CANCELLED", "FINISHED", "PASS_THROUGH", "INTERFACE"]]


def in_clip_editor(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """For `poll`: a clip in a clip editor; says what to do where there is none."""
    space = context.space_data
    if not isinstance(space, bpy.types.SpaceClipEditor) or space.clip is None:
        operator.poll_message_set("Open footage first")
        return False
    return True
