"""From Here On: apply a correction to later frames only; earlier frames keep their mattes."""

from __future__ import annotations

import bpy

from ..clip.footage import shown_frame
from ..clip.held import hold_before
from ..clip.summary import summary_of
from ..contract.errors import MatteError
from ..settings.clip_settings import settings_of
from ..tasks import job_run
from .hold import is_tracked
from .job_operator import JobOperator


class SPLATMATTE_OT_from_here_on(JobOperator, bpy.types.Operator):
    """Track on from the marks on this frame. Frames before it keep their mattes, so the result is pieced together"""

    bl_idname = "splat_matte.from_here_on"
    bl_label = "From Here On"
    bl_options = {"REGISTER", "UNDO"}
    verb = "track"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require a tracked object."""
        return is_tracked(cls, context)

    def _start(self, context: bpy.types.Context) -> job_run.Run:
        clip = self._find_clip(context)
        name = clip.tracking.objects.active.name
        entry = settings_of(clip).entry(name)
        before = entry.held_runs()
        try:
            marked = [prompt.frame for prompt in summary_of(clip).marked.get(name, ())]
            hold_before(clip, name, shown_frame(clip, context.space_data, context.scene), marked)
            return job_run.start(self.verb, clip)
        except MatteError:
            entry.hold(before)
            raise
