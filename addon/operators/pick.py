"""Pick: show what was found over the plate; a click picks it as the subject, another click leaves it out."""

from __future__ import annotations

import bpy

from ..clip.prompts import count_of
from ..language import translated
from ..results.outlines import Suggestion
from ..runtime.engine_client import Reply
from ..settings.clip_settings import settings_of
from ..settings.palette import colour_of
from ..settings.pick_settings import PickSettings
from ..tasks import job_run
from .base import Result
from .outline_operator import Look, OutlineOperator


class SPLATMATTE_OT_pick(OutlineOperator, bpy.types.Operator):
    """Show what was found on this frame, and on others you go to. A click picks it as the subject, or leaves it out"""

    bl_idname = "splat_matte.pick"
    bl_label = "Pick"

    follows = True

    def _request(self, clip: bpy.types.MovieClip, frame: int) -> Reply:
        self._kind = settings_of(clip).automatic
        return job_run.request_found(clip, frame, self._kind)

    def _answered(self) -> None:
        self._settings().keep(self._result["found"])

    def _words(self) -> str:
        picked = len(self._settings().picked())
        number = len(self._found)
        found = count_of(number, "part") if self._kind == "parts" else count_of(number, "thing")
        return translated(f"{found} here, {picked} picked: click on one to pick it or leave it out")

    def _look(self, suggestion: Suggestion) -> Look:
        if suggestion.number in self._settings().picked():
            return (*colour_of(suggestion.number), 1.0), 5.0
        return (*colour_of(suggestion.number), 0.7), 1.2

    def _take(self, context: bpy.types.Context, chosen: int) -> Result:
        number = self._found[chosen].number
        words = f"Number {number} is picked" if self._settings().toggle(number) else f"Number {number} is left out"
        self.report({"INFO"}, translated(words))
        return {"FINISHED"}

    def _settings(self) -> PickSettings:
        found: PickSettings = getattr(settings_of(bpy.data.movieclips[self._clip]), self._kind)
        return found
