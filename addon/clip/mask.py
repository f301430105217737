"""Reads a Mask data-block as mask prompts: the filled outlines of each layer on its keyed frames."""

from __future__ import annotations

import re
from collections.abc import Callable

import bpy
import mathutils

from ..contract.job_types import Garbage, Mask, Outlines
from ..language import translated
from .blendfile import ControlPoint, ShapeKey
from .coordinates import ClipCoordinates, sample_outline
from .mask_keyframes import shape_keys_of

# Blend modes of a layer that subtract from the layers below instead of adding.
_SUBTRACTIVE = {"SUBTRACT", "MERGE_SUBTRACT", "DARKEN", "MUL", "DIFFERENCE"}
REPAIR = " (repair)"  # suffix of the layer with an object's repaired mattes
_NAMED = re.compile(r"(.+) \(repair\)(?:\.\d+)?")  # Blender appends a number to a name that is taken
_STEPS = 16  # polygon corners per point of a garbage matte, equal on all keys so that they can be interpolated


def repaired_object(layer: str) -> str:
    """Return the object that a layer of this name has repairs for; empty if the layer is an object itself."""
    found = _NAMED.fullmatch(layer)
    return found[1] if found else ""


def read_mask(
    mask: bpy.types.Mask,
    coordinates: ClipCoordinates,
    to_clip_frame: Callable[[int], int],
    count: int,
    ignored: list[str],
) -> dict[str, dict[int, Mask]]:
    """Return mask prompts by layer name and clip frame (1 to `count`); append what is left out, with reasons, to
    `ignored`.
    """
    prompts: dict[str, dict[int, Mask]] = {}
    keys = shape_keys_of(mask)
    for layer in mask.layers:
        name = translated(f"Mask layer {layer.name!r}")
        if layer.hide:
            ignored.append(f"{name} is hidden.")
        elif layer.invert or layer.blend in _SUBTRACTIVE:
            how = translated("inverted" if layer.invert else "set to subtract")
            ignored.append(f"{name} is {how}: draw the outline of the subject itself.")
        elif not any(spline.points for spline in layer.splines):
            ignored.append(f"{name} is empty.")
        elif not keys.get(layer.name):
            ignored.append(f"{name} has no keyed frame: select its points and press I where it fits (mask mode).")
        else:
            prompts[layer.name] = _read_layer(layer, keys[layer.name], coordinates, to_clip_frame, count, ignored)
    return prompts


def read_garbage(
    mask: bpy.types.Mask, coordinates: ClipCoordinates, to_clip_frame: Callable[[int], int], ignored: list[str]
) -> tuple[Garbage, ...]:
    """Return the areas of a mask's layers, which need no key; append what is left out, with reasons, to `ignored`.

    Raises:
        JobError: the mask can't be read.
    """
    found = []
    keys = shape_keys_of(mask)
    for layer in mask.layers:
        name = translated(f"Mask layer {layer.name!r}")
        closed, lengths = _closed(layer), [len(spline.points) for spline in layer.splines]
        usable = [key for key in keys.get(layer.name, []) if len(key.points) == sum(lengths)] or [_as_it_is(layer)]
        if layer.hide:
            ignored.append(f"{name} is hidden.")
        elif layer.blend in _SUBTRACTIVE:
            ignored.append(f"{name} is set to subtract: a garbage matte is the union of all its layers.")
        elif not any(closed):
            ignored.append(f"{name} has no closed and filled spline.")
        else:
            by_frame = {to_clip_frame(key.frame): key.points for key in usable}
            outlines = [
                Outlines(frame, _polygons(_between(by_frame, frame), lengths, closed, coordinates, frame, _STEPS))
                for frame in sorted({*by_frame, *coordinates.turns()})
            ]
            found.append(Garbage(tuple(outlines), holes=layer.use_fill_holes, outside=layer.invert))
    return tuple(found)


def _closed(layer: bpy.types.MaskLayer) -> list[bool]:
    """Return for each spline whether it is a filled area."""
    return [spline.use_cyclic and spline.use_fill and len(spline.points) > 1 for spline in layer.splines]


def _as_it_is(layer: bpy.types.MaskLayer) -> ShapeKey:
    points = [point for spline in layer.splines for point in spline.points]
    return ShapeKey(0, tuple((_place(p.handle_left), _place(p.co), _place(p.handle_right)) for p in points))


def _place(vector: mathutils.Vector) -> tuple[float, float]:
    return vector[0], vector[1]


def _between(keys: dict[int, tuple[ControlPoint, ...]], frame: int) -> tuple[ControlPoint, ...]:
    """Return the points on a frame, linearly interpolated between keys as Blender does."""
    before = max((key for key in keys if key <= frame), default=min(keys))
    after = min((key for key in keys if key >= frame), default=max(keys))
    if before >= after:
        return keys[before]
    weight = (frame - before) / (after - before)

    def between(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
        return a[0] + (b[0] - a[0]) * weight, a[1] + (b[1] - a[1]) * weight

    pairs = zip(keys[before], keys[after], strict=True)
    return tuple((between(a[0], b[0]), between(a[1], b[1]), between(a[2], b[2])) for a, b in pairs)


def _read_layer(
    layer: bpy.types.MaskLayer,
    keys: list[ShapeKey],
    coordinates: ClipCoordinates,
    to_clip_frame: Callable[[int], int],
    count: int,
    ignored: list[str],
) -> dict[int, Mask]:
    name = translated(f"Mask layer {layer.name!r}")
    lengths = [len(spline.points) for spline in layer.splines]
    closed = _closed(layer)
    if not all(closed):
        ignored.append(f"{name}: {closed.count(False)} of {len(closed)} splines are open or not filled.")
    if any(point.parent.id is not None for spline in layer.splines for point in spline.points):
        ignored.append(f"{name}: its points are parented to a track, which is ignored; only its own keys count.")
    prompts = {}
    for key in keys:
        frame = to_clip_frame(key.frame)
        if not 1 <= frame <= count:
            ignored.append(f"{name}: its key on scene frame {key.frame} lies outside the clip.")
        elif len(key.points) != sum(lengths):
            ignored.append(
                f"{name}: its key on frame {frame} has another number of points than the mask now; key it again."
            )
        elif polygons := _polygons(key.points, lengths, closed, coordinates, frame):
            prompts[frame] = Mask(polygons=polygons, holes=layer.use_fill_holes)
    return prompts


def _polygons(
    points: tuple[ControlPoint, ...],
    lengths: list[int],
    closed: list[bool],
    coordinates: ClipCoordinates,
    frame: int,
    steps: int = 0,
) -> tuple[tuple[tuple[float, float], ...], ...]:
    polygons = []
    start = 0
    for length, counts in zip(lengths, closed, strict=True):
        if counts:
            some = list(points[start : start + length])
            outline = sample_outline(some, lambda place: coordinates.from_mask(frame, place), steps)
            if len(outline) >= 3:
                polygons.append(tuple(outline))
        start += length
    return tuple(polygons)
