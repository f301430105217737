"""Summarises a clip for the panels: footage and prompts as they would be sent now."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import bpy

from ..contract.errors import MatteError
from ..contract.job_types import Footage, Prompt
from .coordinates import ClipCoordinates
from .footage import coordinates_of, read_footage
from .prompts import Prompts, read_prompts
from .to_job import frame_range_of

_coordinates_by_clip: dict[tuple[object, ...], tuple[ClipCoordinates, list[str]]] = {}
_MOST = 8
_shown: dict[str, Summary] = {}  # for the current redraw, by the clip's full name


@dataclass(frozen=True)
class Summary:
    """Summary of a clip for panels. `coordinates` and `prompts` are None if they can't be read; `error` says why."""

    coordinates: ClipCoordinates | None = None
    warnings: tuple[str, ...] = ()
    prompts: Prompts | None = None
    error: MatteError | None = None

    @property
    def footage(self) -> Footage | None:
        """The clip's footage on disk."""
        return self.coordinates.footage if self.coordinates else None

    @functools.cached_property
    def marked(self) -> dict[str, tuple[Prompt, ...]]:
        """The prompts of all objects, by name, as a Job would have them."""
        return {name: marks.prompts() for name, marks in self.prompts.marks.items()} if self.prompts else {}


def shown_summary_of(clip: bpy.types.MovieClip) -> Summary:
    """The summary for drawing code. It is read once per redraw, for all panels and editors.

    Nothing may change the clip while Blender draws. Blender runs timers between events and drawing, so a timer clears
    the summary before the next redraw.
    """
    if bpy.app.background:  # no timers
        return summary_of(clip)
    if clip.name_full not in _shown:
        _shown[clip.name_full] = summary_of(clip)
        if not bpy.app.timers.is_registered(_forget_shown):
            bpy.app.timers.register(_forget_shown, persistent=True)
    return _shown[clip.name_full]


def _forget_shown() -> None:
    _shown.clear()


def summary_of(clip: bpy.types.MovieClip) -> Summary:
    """Compute the summary. Files on disk are checked only if the clip has changed, or after `refresh`."""
    try:
        coordinates, warnings = _coordinates(clip)
        frame_range = frame_range_of(clip, coordinates.footage.frame_count)
        return Summary(coordinates, tuple(warnings), read_prompts(clip, coordinates, frame_range))
    except MatteError as error:
        return Summary(error=error)


def refresh() -> None:
    """Check the files on disk again at the next redraw."""
    _coordinates_by_clip.clear()


def _coordinates(clip: bpy.types.MovieClip) -> tuple[ClipCoordinates, list[str]]:
    key = (
        bpy.path.abspath(clip.filepath, library=clip.library),
        clip.source,
        clip.frame_duration,
        clip.frame_offset,
        tuple(clip.size),  # type: ignore[arg-type]
        *clip.display_aspect[:],
        clip.tracking.camera.pixel_aspect,
    )
    if key not in _coordinates_by_clip:
        footage, warnings = read_footage(clip)
        while len(_coordinates_by_clip) >= _MOST:
            _coordinates_by_clip.pop(next(iter(_coordinates_by_clip)))
        _coordinates_by_clip[key] = (coordinates_of(clip, footage), warnings)
    return _coordinates_by_clip[key]
