"""Refine transients: turn a splat trainer's rough masks of what moves into clean, tracked mattes."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..contract.automatic import Transients
from ..contract.errors import JobError
from ..language.properties import BoolProperty
from ..settings.clip_settings import ClipSettings, settings_of
from ..tasks import job_run
from .job_operator import JobOperator


class SPLATMATTE_OT_refine_transients(JobOperator, bpy.types.Operator):
    """Make clean mattes of what moves through a static scene, from a splat trainer's rough masks and differences"""

    bl_idname = "splat_matte.refine_transients"
    bl_label = "Clean Transients"

    export: BoolProperty(
        name="Export", description="Write a version too, for the program that is chosen", options={"SKIP_SAVE"}
    )

    def _start(self, context: bpy.types.Context) -> job_run.Run:
        clip = self._find_clip(context)
        settings = settings_of(clip)
        masks, diffs = (_folder(clip, settings, name) for name in ("transients_masks", "transients_diffs"))
        search = Transients(masks, diffs, settings.transients_polarity)
        return job_run.start_find("export" if self.export else "track", clip, "", {"transients": search})


def _folder(clip: bpy.types.MovieClip, settings: ClipSettings, name: str) -> str:
    """Return the absolute path of a folder setting. Raises JobError if none is set."""
    path = getattr(settings, name)
    if not path:
        words = settings.bl_rna.properties[name].name
        raise JobError("No folder is chosen.", where=words, hint="Choose the one that the trainer has written.")
    return str(Path(bpy.path.abspath(path, library=clip.library)))
