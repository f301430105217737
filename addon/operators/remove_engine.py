"""Remove the engine."""

from __future__ import annotations

import bpy

from .base import Result
from .setup_operator import SetupOperator


class SPLATMATTE_OT_remove_engine(SetupOperator, bpy.types.Operator):
    """Delete the engine's folder. Checkpoints, mattes and footage are kept"""

    bl_idname = "splat_matte.remove_engine"
    bl_label = "Remove Engine"
    verb = "remove"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        """Ask for confirmation."""
        return context.window_manager.invoke_confirm(self, event)
