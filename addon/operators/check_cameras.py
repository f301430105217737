"""Check in 3-D: compare the mattes of all cameras with each other."""

from __future__ import annotations

import bpy

from ..clip.footage import active_clip
from ..clip.poses import is_solved
from ..language import translated
from ..settings.clip_settings import settings_of
from ..tasks import job_run
from .job_operator import JobOperator


class SPLATMATTE_OT_check_cameras(JobOperator, bpy.types.Operator):
    """Find mattes that disagree with those of the other frames, given the cameras. The subject has to stand still"""

    bl_idname = "splat_matte.check_cameras"
    bl_label = "Check in 3-D"
    verb = "review"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require cameras."""
        clip = active_clip(context)
        if clip is not None and not (settings_of(clip).poses or is_solved(clip)):
            cls.poll_message_set(translated("Solve the camera, or name its poses"))
            return False
        return super().poll(context)

    def _start(self, context: bpy.types.Context) -> job_run.Run:
        return job_run.start_check(self._find_clip(context))
