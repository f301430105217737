"""Stop: end a running installation or download."""

from __future__ import annotations

import bpy

from ..tasks import setup_run
from .base import Result


class SPLATMATTE_OT_stop_setup(bpy.types.Operator):
    """Stop. What was downloaded is kept, and an engine that was there before works on"""

    bl_idname = "splat_matte.stop_setup"
    bl_label = "Stop"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require a running task."""
        return setup_run.active() is not None

    def execute(self, context: bpy.types.Context) -> Result:
        """Ask the task to stop."""
        if (task := setup_run.active()) is not None:
            task.stop()
        return {"FINISHED"}
