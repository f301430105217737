"""Track: compute the mattes that the prompts ask for."""

from __future__ import annotations

import bpy

from ..clip.footage import shown_frame
from ..language import translated
from ..language.properties import BoolProperty, EnumProperty
from ..tasks import job_run
from .base import Result
from .job_operator import JobOperator

_TOWARDS = [
    ("ALL", "All", "The clip or its range, in the direction that is set"),
    ("START", "To the Start", "From this frame back to the start"),
    ("PREVIOUS", "One Frame Back", "The frame before this one"),
    ("NEXT", "One Frame On", "The frame after this one"),
    ("END", "To the End", "From this frame on to the end"),
]


class SPLATMATTE_OT_track(JobOperator, bpy.types.Operator):
    """Track the marked objects through the clip, in the background. Only what changed is tracked again"""

    bl_idname = "splat_matte.track"
    bl_label = "Track"
    verb = "track"

    towards: EnumProperty(
        name="Towards",
        description="How far to track; frames that the mattes there depend on are tracked on the way",
        items=_TOWARDS,
        options={"SKIP_SAVE"},
    )
    again: BoolProperty(
        name="Again",
        description="Forget the mattes of these frames first",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        """Return the tooltip of each button."""
        if properties.towards == "ALL":
            return ""
        towards = next(tooltip for name, _, tooltip in _TOWARDS if name == properties.towards)
        where = bpy.app.translations.pgettext_tip(towards)
        return translated(f"Forget these mattes and track again: {where}" if properties.again else f"Track: {where}")

    def _start(self, context: bpy.types.Context) -> job_run.Run:
        clip = self._find_clip(context)
        self._scene = context.scene.name
        here = shown_frame(clip, context.space_data, context.scene)
        return job_run.start(self.verb, clip, self.towards, here, again=self.again)

    def _succeed(self) -> Result:
        """Go along with one frame on or back, as Blender's own tracker does."""
        step = {"PREVIOUS": -1, "NEXT": 1}.get(self.towards, 0)
        scene: bpy.types.Scene = bpy.data.scenes.get(self._scene)
        clip: bpy.types.MovieClip = bpy.data.movieclips.get(self._run.clip)
        if step and scene is not None and clip is not None:
            frame = scene.frame_current + step
            scene.frame_current = min(max(frame, clip.frame_start), clip.frame_start + clip.frame_duration - 1)
        return super()._succeed()
