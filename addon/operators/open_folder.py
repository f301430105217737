"""Open: show the latest version in the system's file browser."""

from __future__ import annotations

import bpy

from ..clip.footage import active_clip
from ..tasks import job_run
from .base import Result


class SPLATMATTE_OT_open_folder(bpy.types.Operator):
    """Show the version of this clip that was written last in the system's file browser"""

    bl_idname = "splat_matte.open_folder"
    bl_label = "Open Folder"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require that a version was written."""
        run = _run(context)
        return run is not None and run.result is not None and "folder" in run.result

    def execute(self, context: bpy.types.Context) -> Result:
        """Open the folder."""
        run = _run(context)
        if run is not None and run.result is not None:
            bpy.ops.wm.path_open(filepath=run.result["folder"])
        return {"FINISHED"}


def _run(context: bpy.types.Context) -> job_run.Run | None:
    clip = active_clip(context)
    return job_run.latest(clip.name) if clip is not None else None
