"""Find: things or parts in all frames, without a click, to pick the subject from."""

from __future__ import annotations

import bpy

from ..contract.errors import JobError
from ..contract.targets import TARGETS
from ..language import translated
from ..language.properties import BoolProperty
from ..settings.clip_settings import settings_of
from ..settings.pick_settings import search_of
from ..tasks import job_run
from .base import Result
from .job_operator import JobOperator


class SPLATMATTE_OT_find(JobOperator, bpy.types.Operator):
    """Find things, or parts, in all frames of the clip, to pick the subject from. Esc stops it; what is done is kept"""

    bl_idname = "splat_matte.find"
    bl_label = "Find"

    export: BoolProperty(
        name="Export",
        description="Write a version of what is picked, for the program that is chosen",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        """Return the tooltip of each button."""
        if properties.export:
            return translated(
                "Write a version of what is picked, for the program chosen under Export. What is not found yet is"
            )
        return ""

    def _start(self, context: bpy.types.Context) -> job_run.Run:
        clip = self._find_clip(context)
        settings = settings_of(clip)
        kind, picked = settings.automatic, settings.found.picked() if self.export else ()
        if self.export and kind == "parts" and not picked and not TARGETS[settings.target].rules.found:
            raise JobError(
                "No part is picked.",
                where="Parts",
                hint="Pick those that are the subject, or choose Segments under Export to write all of them.",
            )
        from_folder = settings.found.folder if picked else ""
        return job_run.start_find(
            "export" if self.export else "track", clip, kind, search_of(kind, picked), from_folder
        )

    def _succeed(self) -> Result:
        if self.export:
            return super()._succeed()
        self.report({"INFO"}, translated("Found. Pick what is the subject"))
        return {"FINISHED"}
