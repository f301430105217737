"""Open: show the latest version in the system's file browser."""

from __future__ import annotations

import bpy

from ..tasks import job_run
from .base import Result


class SPLATMATTE_OT_open_folder(bpy.types.Operator):
    """Show the version that was written last in the system's file browser"""

    bl_idname = "splat_matte.open_folder"
    bl_label = "Open Folder"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """A version was written."""
        run = job_run.latest()
        return run is not None and run.result is not None and "folder" in run.result

    def execute(self, context: bpy.types.Context) -> Result:
        """Open it."""
        run = job_run.latest()
        if run is not None and run.result is not None:
            bpy.ops.wm.path_open(filepath=run.result["folder"])
        return {"FINISHED"}
