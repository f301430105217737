"""Restart: end the engine; the next Job starts a new one."""

from __future__ import annotations

import bpy

from ..runtime.engine_client import stop_shared_engine
from ..tasks import job_run
from .base import Result


class SPLATMATTE_OT_restart_engine(bpy.types.Operator):
    """End the engine and free its memory. The next Track or Export starts a new one"""

    bl_idname = "splat_matte.restart_engine"
    bl_label = "Restart Engine"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require that nothing is running."""
        return not job_run.pending()

    def execute(self, context: bpy.types.Context) -> Result:
        """End the engine."""
        stop_shared_engine(wait=False)
        return {"FINISHED"}
