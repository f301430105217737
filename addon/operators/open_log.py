"""Open the logs: those of Blender's side and of the last installation."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..runtime.log_file import log_file
from ..tasks import setup_run
from .base import Result


class SPLATMATTE_OT_open_log(bpy.types.Operator):
    """Show what went wrong, and all that the last installation and self-test said, in the system's text editor"""

    bl_idname = "splat_matte.open_log"
    bl_label = "Open Log"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require a log."""
        return bool(_logs())

    def execute(self, context: bpy.types.Context) -> Result:
        """Open the logs."""
        for log in _logs():
            bpy.ops.wm.path_open(filepath=str(log))
        return {"FINISHED"}


def _logs() -> list[Path]:
    """Return the existing log files."""
    return [log for log in (log_file(), setup_run.plan().log) if log.is_file()]
