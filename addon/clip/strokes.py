"""Strokes of Blender's Annotate tool as points: a line drawn over the clip includes or excludes what it lies on.

Up to Blender 4.5 a clip's annotation is a GreasePencil, from 5.0 on an Annotation. Both have layers of frames of
strokes, whose points are in the coordinates of markers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .coordinates import ClipCoordinates

MOST = 8  # points on a stroke: about as many clicks as SAM 2 is trained with
_SPACING = 0.03  # least distance of points, as a fraction of the frame's longer side


def annotation_of(clip: bpy.types.MovieClip) -> Any:
    """Return the clip's annotation, which has `layers`; None if there is none."""
    owner: Any = clip
    return owner.annotation if bpy.app.version >= (5, 0, 0) else owner.grease_pencil


def read_strokes(
    clip: bpy.types.MovieClip, layer_name: str, coordinates: ClipCoordinates, reasons: Counter[str]
) -> Iterator[tuple[int, float, float]]:
    """Yield points along the strokes of a layer: clip frame, u, v (0 to 1 of the frame, origin at the bottom left).

    A stroke counts on the frame that it was drawn on, even where Blender also shows it on later ones.

    Args:
        clip: the clip.
        layer_name: name of the annotation's layer.
        coordinates: of the same clip.
        reasons: counts the strokes that are left out, by reason.
    """
    annotation = annotation_of(clip)
    layer = annotation.layers.get(layer_name) if annotation is not None else None
    if layer is None:
        return
    shape = np.array([coordinates.footage.width, coordinates.footage.height], np.float32)
    for frame in layer.frames:
        number = frame.frame_number - clip.frame_start + 1
        for stroke in frame.strokes:
            if layer.annotation_hide:
                reasons["hidden"] += 1
            elif not 1 <= number <= coordinates.footage.frame_count:
                reasons["outside the clip"] += 1
            elif not len(places := _inside(sampled(_places(stroke), shape))):
                reasons["outside the image"] += 1
            else:
                yield from ((number, float(u), float(v)) for u, v in places)


def remove_strokes(clip: bpy.types.MovieClip, layer_name: str, frame: int) -> None:
    """Remove all strokes of a layer of the clip's annotation that were drawn on a clip frame."""
    frames = annotation_of(clip).layers[layer_name].frames
    for drawn in [drawn for drawn in frames if drawn.frame_number - clip.frame_start + 1 == frame]:
        frames.remove(drawn)


def sampled(places: NDArray[np.float32], shape: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return points (n, 2) along a line, equally spaced in pixels; the first is half a spacing from its start.

    Args:
        places: (m, 2) corners of the line, 0 to 1 of the frame.
        shape: width and height of the frame in pixels.
    """
    if not len(places):
        return places
    steps = np.linalg.norm(np.diff(places, axis=0) * shape, axis=1)
    along = np.concatenate(([0.0], np.cumsum(steps)))
    length = float(along[-1])
    count = min(MOST, max(1, round(length / (_SPACING * float(shape.max())))))
    wanted = (np.arange(count) + 0.5) * length / count
    return np.stack([np.interp(wanted, along, places[:, axis]) for axis in (0, 1)], axis=1).astype(np.float32)


def _places(stroke: Any) -> NDArray[np.float32]:
    points = np.empty(3 * len(stroke.points), np.float32)
    stroke.points.foreach_get("co", points)
    places: NDArray[np.float32] = points.reshape(-1, 3)[:, :2]
    return places[np.isfinite(places).all(axis=1)]


def _inside(places: NDArray[np.float32]) -> NDArray[np.float32]:
    return places[((places >= 0) & (places <= 1)).all(axis=1)]
