"""Self-test: check that the engine works on this computer."""

from __future__ import annotations

import bpy

from ..settings.preferences import preferences
from .setup_operator import SetupOperator


class SPLATMATTE_OT_self_test(SetupOperator, bpy.types.Operator):
    """Try the engine out on the chosen device, and measure its speed with each checkpoint that is here"""

    bl_idname = "splat_matte.self_test"
    bl_label = "Self-Test"
    verb = "self-test"

    def arguments(self) -> list[str]:
        """Return the device."""
        return ["--device", preferences().device]
