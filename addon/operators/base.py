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
