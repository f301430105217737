"""Finds the object at a place of a frame, by marks first, then by shown mattes."""

from __future__ import annotations

import math

import bpy

from ..clip.coordinates import ClipCoordinates
from ..clip.summary import summary_of
from ..contract.job_types import Prompt
from ..settings.clip_settings import settings_of
from .sources import read, sources_of

_REACH = 0.02  # how far from a point a click still selects it, as a fraction of the frame's longer side


def object_at(clip: bpy.types.MovieClip, frame: int, place: tuple[float, float]) -> str:
    """Return the tracking object's name; empty if none is there.

    Args:
        clip: the clip.
        frame: the clip frame.
        place: (u, v), 0 to 1 from the bottom left of the frame as stored.

    Raises:
        FootageError: the frame's file can't be read.
    """
    summary = summary_of(clip)
    if summary.coordinates is None:
        return ""
    settings = settings_of(clip)
    names = [tracked.name for tracked in clip.tracking.objects if settings.shows(tracked.name)]
    at = summary.coordinates.from_marker(frame, place)
    marks = {name: [p for p in summary.marked.get(name, ()) if p.frame == frame] for name in names}
    return _by_point(marks, at, summary.coordinates) or _by_matte(clip, frame, names, at, summary.coordinates)


def _by_point(marks: dict[str, list[Prompt]], at: tuple[float, float], coordinates: ClipCoordinates) -> str:
    """Return the object of the nearest point within reach; marks are drawn over mattes, so they come first."""
    reach = _REACH * max(coordinates.footage.width, coordinates.footage.height)
    near = [
        (distance, name)
        for name, prompts in marks.items()
        for prompt in prompts
        for point in prompt.points
        if (distance := math.dist(at, (point.x, point.y))) <= reach
    ]
    return min(near)[1] if near else ""


def _by_matte(
    clip: bpy.types.MovieClip, frame: int, names: list[str], at: tuple[float, float], coordinates: ClipCoordinates
) -> str:
    """Return the object whose matte is there; where several overlap, the one with the smallest matte."""
    found = []
    sources = sources_of(clip, frame)
    for name in names:
        logits = read(clip, frame, name, sources[name]) if name in sources else None
        if logits is None:
            continue
        height, width = logits.shape
        x = min(int(at[0] * width / coordinates.footage.width), width - 1)
        y = min(int(at[1] * height / coordinates.footage.height), height - 1)
        if logits[y, x] > 0:
            found.append((float((logits > 0).mean()), name))
    return min(found)[1] if found else ""
