"""Select frames: keep the sharp ones for the export, spaced by how far the picture moves."""

from __future__ import annotations

import bpy

from ..tasks import job_run
from .job_operator import JobOperator


class SPLATMATTE_OT_select_frames(JobOperator, bpy.types.Operator):
    """Drop blurred frames and near-duplicates from the export; all are tracked. What is tracked counts for blur"""

    bl_idname = "splat_matte.select_frames"
    bl_label = "Select Frames"
    verb = "select"

    def _start(self, context: bpy.types.Context) -> job_run.Run:
        return job_run.start_select(self._find_clip(context))
