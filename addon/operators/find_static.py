"""Find static: what never moves in the picture while the camera does becomes the clip's static mask."""

from __future__ import annotations

import bpy

from ..tasks import job_run
from .job_operator import JobOperator


class SPLATMATTE_OT_find_static(JobOperator, bpy.types.Operator):
    """Find what never moves in the picture while the camera does, such as a tripod, and leave it out of every export"""

    bl_idname = "splat_matte.find_static"
    bl_label = "Find What Stands Still"
    verb = "static"

    def _start(self, context: bpy.types.Context) -> job_run.Run:
        return job_run.start_find_static(self._find_clip(context))
