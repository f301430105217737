"""Repairs on offer that are not accepted yet: their frames, reasons and outlines."""

from __future__ import annotations

import functools
from pathlib import Path

import bpy

from ..clip.summary import Summary, shown_summary_of
from ..contract.errors import MatteError
from ..results.outlines import ObjectOutlines, ObjectRepairs, Path2, read_repairs
from ..settings.clip_settings import settings_of
from .sources import made_at


def offers_of(clip: bpy.types.MovieClip, summary: Summary | None = None) -> dict[str, dict[int, str]]:
    """Return by object and clip frame which sources support an offer, for frames without a mask prompt.

    summary: the clip's, if it was computed already.
    """
    settings = settings_of(clip)
    found = _found(clip)
    if not found:
        return {}
    marked = (summary or shown_summary_of(clip)).marked
    offers = {}
    for name, repairs in found.items():
        drawn = {prompt.frame for prompt in marked.get(name, ()) if prompt.mask is not None}
        reasons = zip(repairs.outlines.frames, repairs.reasons, strict=True)
        left = {frame: reason for frame, reason in reasons if frame not in drawn}
        if left and settings.uses(name):
            offers[name] = left
    return offers


def refused_on(clip: bpy.types.MovieClip, frame: int) -> dict[str, str]:
    """Return by object why no repair is offered on a clip frame for which one was requested."""
    return {
        name: reason
        for name, repairs in _found(clip).items()
        for first, last, reason in repairs.refused
        if first <= frame <= last
    }


def outlines_on(clip: bpy.types.MovieClip, name: str, frames: list[int]) -> ObjectOutlines:
    """Return the outlines of an object's offers on some frames, in upright pixels of the plate."""
    outlines = _found(clip)[name].outlines
    places = [outlines.frames.index(frame) for frame in frames]
    paths = tuple(tuple(path[place] for place in places) for path in outlines.paths)
    return ObjectOutlines(tuple(frames), tuple(path for path in paths if any(len(set(curve)) > 1 for curve in path)))


def curves_on(clip: bpy.types.MovieClip, name: str, frame: int) -> list[Path2]:
    """Return the closed outlines of one offer, in upright pixels of the plate."""
    return [path[0] for path in outlines_on(clip, name, [frame]).paths]


def _found(clip: bpy.types.MovieClip) -> dict[str, ObjectRepairs]:
    file = settings_of(clip).repairs
    return _read(file, made_at(Path(file))) if file else {}


@functools.lru_cache(maxsize=4)
def _read(file: str, made: int) -> dict[str, ObjectRepairs]:
    """Read a file of repairs; empty if it is gone or damaged, as repairs can be computed again."""
    try:
        return read_repairs(Path(file))
    except MatteError:
        return {}
