"""Repair: offer new mattes for suspects, from the frames around them and from other cameras."""

from __future__ import annotations

import bpy

from ..tasks import job_run
from .job_operator import JobOperator


class SPLATMATTE_OT_repair(JobOperator, bpy.types.Operator):
    """Offer new mattes for the suspect frames, from the good frames around them and from other cameras, if they are
    known. Nothing is changed until an offer is accepted"""

    bl_idname = "splat_matte.repair"
    bl_label = "Repair Suspects"
    verb = "repair"

    def _start(self, context: bpy.types.Context) -> job_run.Run:
        return job_run.start_repair(self._find_clip(context))
