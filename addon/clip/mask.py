"""A Mask data-block as mask prompts: the filled outlines of each layer on its keyed frames."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import bpy

from ..errors import JobError
from ..job import Mask
from .blendfile import ControlPoint, ShapeKey, read_shape_keys
from .coordinates import Plate, sample_outline

# Ways of combining a layer with those below that take away instead of adding.
_SUBTRACTIVE = {"SUBTRACT", "MERGE_SUBTRACT", "DARKEN", "MUL", "DIFFERENCE"}

_shape_keys: dict[str, dict[str, list[ShapeKey]]] = {}


def forget_shape_keys(*_: object) -> None:
    """Forget what was read of masks: for when one changed or another file is open."""
    _shape_keys.clear()


def shape_keys_of(mask: bpy.types.Mask) -> dict[str, list[ShapeKey]]:
    """The mask's shape keys by layer name, remembered until `forget_shape_keys`.

    They aren't in Blender's Python API, and stepping through frames to see them would disturb the artist's scene: a
    copy of the mask is saved to a temporary file and read there.

    Raises:
        JobError: they can't be read.
    """
    if mask.name_full not in _shape_keys:
        with tempfile.TemporaryDirectory(dir=bpy.app.tempdir) as folder:
            file = Path(folder) / "mask.blend"
            bpy.data.libraries.write(str(file), {mask}, compress=False)
            try:
                _shape_keys[mask.name_full] = read_shape_keys(file, mask.name)
            except ValueError as error:
                raise JobError(
                    f"The mask's keys can't be read in this Blender: {error}.",
                    where=mask.name,
                    hint="Use markers instead, and please report this.",
                ) from None
    return _shape_keys[mask.name_full]


def read_mask(
    mask: bpy.types.Mask, plate: Plate, to_clip_frame: Callable[[int], int], count: int, ignored: list[str]
) -> dict[str, dict[int, Mask]]:
    """Mask prompts by layer name and clip frame, 1 to `count`; adds to `ignored` what is left out, and why."""
    prompts: dict[str, dict[int, Mask]] = {}
    keys = shape_keys_of(mask)
    for layer in mask.layers:
        name = f"Mask layer {layer.name!r}"
        if layer.hide:
            ignored.append(f"{name} is hidden.")
        elif layer.invert or layer.blend in _SUBTRACTIVE:
            how = "inverted" if layer.invert else "set to take away"
            ignored.append(f"{name} is {how}: draw the subject itself.")
        elif not any(spline.points for spline in layer.splines):
            ignored.append(f"{name} is empty.")
        elif not keys.get(layer.name):
            ignored.append(f"{name} has no keyed frame: select its points and press I where it fits (mask mode).")
        else:
            prompts[layer.name] = _read_layer(layer, keys[layer.name], plate, to_clip_frame, count, ignored)
    return prompts


def _read_layer(
    layer: bpy.types.MaskLayer,
    keys: list[ShapeKey],
    plate: Plate,
    to_clip_frame: Callable[[int], int],
    count: int,
    ignored: list[str],
) -> dict[int, Mask]:
    name = f"Mask layer {layer.name!r}"
    lengths = [len(spline.points) for spline in layer.splines]
    closed = [spline.use_cyclic and spline.use_fill and len(spline.points) > 1 for spline in layer.splines]
    if not all(closed):
        ignored.append(f"{name}: {closed.count(False)} of {len(closed)} splines are open or not filled.")
    if any(point.parent.id is not None for spline in layer.splines for point in spline.points):
        ignored.append(f"{name}: that its points follow a track does not count, only its own keys.")
    prompts = {}
    for key in keys:
        frame = to_clip_frame(key.frame)
        if not 1 <= frame <= count:
            ignored.append(f"{name}: its key on scene frame {key.frame} lies outside the clip.")
        elif len(key.points) != sum(lengths):
            ignored.append(f"{name}: its key on frame {frame} is of another number of points; key it again.")
        elif polygons := _polygons(key.points, lengths, closed, plate, frame):
            prompts[frame] = Mask(polygons=polygons, holes=layer.use_fill_holes)
    return prompts


def _polygons(
    points: tuple[ControlPoint, ...], lengths: list[int], closed: list[bool], plate: Plate, frame: int
) -> tuple[tuple[tuple[float, float], ...], ...]:
    polygons = []
    start = 0
    for length, counts in zip(lengths, closed, strict=True):
        if counts:
            outline = sample_outline(list(points[start : start + length]), lambda place: plate.from_mask(frame, place))
            if len(outline) >= 3:
                polygons.append(tuple(outline))
        start += length
    return tuple(polygons)
