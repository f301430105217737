"""Static masks of a clip, which cover what is fixed to the camera: a Blender Mask, an image, or both."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..contract.job_types import Garbage, Mask, StaticMask
from ..settings.clip_settings import settings_of
from .coordinates import ClipCoordinates
from .mask import read_garbage


def read_static_masks(
    clip: bpy.types.MovieClip, coordinates: ClipCoordinates, ignored: list[str]
) -> tuple[StaticMask, ...]:
    """Return the clip's static masks, and append what is left out, with reasons, to `ignored`. Raises JobError for a
    bad mask.
    """
    settings = settings_of(clip)
    found = []
    if settings.static_mask is not None:
        drawn = read_garbage(settings.static_mask, coordinates, lambda frame: frame - clip.frame_start + 1, ignored)
        found += [StaticMask(_as_mask(area, coordinates)) for area in drawn]
    if settings.static_file:
        path = Path(bpy.path.abspath(settings.static_file, library=clip.library))
        found.append(StaticMask(Mask(file=str(path))))
    return tuple(found)


def _as_mask(area: Garbage, coordinates: ClipCoordinates) -> Mask:
    """Return the area as a mask, as it is on its first key: a static mask does not move."""
    polygons = area.keys[0].polygons
    if not area.outside:
        return Mask(polygons=polygons, holes=area.holes)
    wide, high = float(coordinates.footage.width), float(coordinates.footage.height)
    frame = ((0.0, 0.0), (wide, 0.0), (wide, high), (0.0, high))
    return Mask(polygons=(frame, *polygons), holes=True)
