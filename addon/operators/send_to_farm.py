"""Send to farm: write a folder with the clip's Job for a farm's program; for Flamenco, send it to the manager."""

from __future__ import annotations

import bpy

from ..language import translated
from ..settings.preferences import preferences
from ..tasks import job_run
from .base import Result
from .job_operator import JobOperator


class SPLATMATTE_OT_send_to_farm(JobOperator, bpy.types.Operator):
    """Write a folder with all that a farm needs to export this clip. Flamenco is sent it where its manager is named"""

    bl_idname = "splat_matte.send_to_farm"
    bl_label = "Send to Farm"
    verb = "farm"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require a clip, and online access if it is sent over the network."""
        chosen = preferences()
        if chosen.farm == "flamenco" and chosen.farm_manager and not bpy.app.online_access:
            cls.poll_message_set(translated("Allow online access in Preferences, System, or name no manager"))
            return False
        return super().poll(context)

    def _start(self, context: bpy.types.Context) -> job_run.Run:
        return job_run.start_farm(self._find_clip(context))

    def _succeed(self) -> Result:
        if self._run.result is not None and (command := self._run.result.get("command")):
            bpy.context.window_manager.clipboard = command
        return super()._succeed()
