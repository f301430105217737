"""Suggest: show automatic masks of the frame over the plate; a click makes one an object."""

from __future__ import annotations

import bpy

from ..clip.names import follow_names
from ..clip.prompts import count_of
from ..language import translated
from ..results.outlines import ObjectOutlines, Suggestion
from ..runtime.engine_client import Reply
from ..settings.clip_settings import settings_of
from ..settings.palette import colour_of
from ..tasks import job_run
from .base import Result
from .outline_operator import Look, OutlineOperator
from .to_mask import make_mask


class SPLATMATTE_OT_suggest(OutlineOperator, bpy.types.Operator):
    """Show what could be an object on this frame. A click takes one: it becomes a layer of the clip's mask"""

    bl_idname = "splat_matte.suggest"
    bl_label = "Suggest Objects"

    def _request(self, clip: bpy.types.MovieClip, frame: int) -> Reply:
        return job_run.request_suggestions(clip, frame)

    def _words(self) -> str:
        return translated("{1}: click on one to take it", count_of(len(self._found), "suggestion"))

    def _look(self, suggestion: Suggestion) -> Look:
        return (*colour_of(suggestion.number), 0.9), 1.5

    def _take(self, context: bpy.types.Context, chosen: int) -> Result:
        """Make it a layer of the clip's mask, keyed on its frame."""
        clip = bpy.data.movieclips[self._clip]
        settings = settings_of(clip)
        name = _unused(clip, settings.mask)
        outlines = ObjectOutlines((self._frame,), tuple((path,) for path in self._found[chosen].paths))
        settings.mask = make_mask(context, clip, self._coordinates, {name: outlines}, settings.mask)
        follow_names(clip)
        self._found = [suggestion for i, suggestion in enumerate(self._found) if i != chosen]
        self._under = None
        self.report({"INFO"}, translated(f"{name} is a layer of {settings.mask.name} now"))
        return {"FINISHED"}


def _unused(clip: bpy.types.MovieClip, mask: bpy.types.Mask | None) -> str:
    """Return a name that no object and no layer has."""
    taken = {tracking_object.name for tracking_object in clip.tracking.objects} | {
        layer.name for layer in (mask.layers if mask else ())
    }
    number = 1
    while f"Suggestion {number}" in taken:
        number += 1
    return f"Suggestion {number}"
