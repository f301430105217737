"""Clean splat: remove what lies outside the mattes from a trained splat. Counted first, as it can't be shown here."""

from __future__ import annotations

import bpy

from ..clip.footage import active_clip
from ..clip.poses import is_solved
from ..language import translated
from ..language.properties import BoolProperty
from ..settings.clip_settings import settings_of
from ..tasks import job_run
from .job_operator import JobOperator


class SPLATMATTE_OT_clean_splat(JobOperator, bpy.types.Operator):
    """Remove from a trained splat what lies outside the latest version's mattes. A new file beside it is written"""

    bl_idname = "splat_matte.clean_splat"
    bl_label = "Clean Splat"
    verb = "clean"

    count: BoolProperty(
        name="Count Only", description="Say how much would be removed, and write nothing", options={"SKIP_SAVE"}
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        """Return the tooltip of each button."""
        if getattr(properties, "count", False):
            return translated("Say how many Gaussians lie outside the mattes, and write nothing")
        return ""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require cameras and a splat, and no running Job."""
        clip = active_clip(context)
        if clip is not None and not settings_of(clip).splat:
            cls.poll_message_set(translated("Choose the splat first"))
            return False
        if clip is not None and not (settings_of(clip).poses or is_solved(clip)):
            cls.poll_message_set(translated("Solve the camera, or name its poses"))
            return False
        return super().poll(context)

    def _start(self, context: bpy.types.Context) -> job_run.Run:
        return job_run.start_clean(self._find_clip(context), write=not self.count)
