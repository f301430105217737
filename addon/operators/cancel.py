"""Cancel: ask the engine to stop."""

from __future__ import annotations

import bpy

from ..clip.editors import redraw_sidebars
from ..tasks import job_run
from .base import Result


class SPLATMATTE_OT_cancel(bpy.types.Operator):
    """Stop tracking or exporting. What is done is kept"""

    bl_idname = "splat_matte.cancel"
    bl_label = "Stop"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require a running Job."""
        return job_run.running() is not None

    def execute(self, context: bpy.types.Context) -> Result:
        """Ask the engine to stop; the running operator notices the end."""
        if (run := job_run.running()) is not None:
            run.stop()
            redraw_sidebars()  # they show that it is stopping
        return {"FINISHED"}
