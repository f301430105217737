"""Open the log of the last installation."""

from __future__ import annotations

import bpy

from ..tasks import setup_run
from .base import Result


class SPLATMATTE_OT_open_log(bpy.types.Operator):
    """Show all that the last installation and self-test said, in the system's text editor"""

    bl_idname = "splat_matte.open_log"
    bl_label = "Open Log"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There is one."""
        return setup_run.plan().log.is_file()

    def execute(self, context: bpy.types.Context) -> Result:
        """Open it."""
        bpy.ops.wm.path_open(filepath=str(setup_run.plan().log))
        return {"FINISHED"}
