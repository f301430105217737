"""Finishing: post-processing of tracked mattes, the same for the export and for the overlay.

Everything here is a function of the Job and the given mattes; nothing is tracked. Lengths are in pixels of the plate
and areas in its square pixels, so a reduced matte (`scale` below 1) looks like the export, apart from the reduction.
Steps with lengths work in bands of rows, each with all surrounding rows that it depends on: there are no seams, and no
float image of a whole plate.

job.Finishing lists the steps and their order.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...contract.job import Job
from ...contract.job_types import Finishing, Garbage, MatteObject
from ..footage.polygons import Polygon, fill

FinishedMatte = NDArray[np.uint8]  # (h, w), 0 or 255; with soft edges, values between too
Logits = NDArray[np.float16]
Soften = Callable[[FinishedMatte, float], FinishedMatte]

_BAND = 512  # rows
_WIDE = 4.0  # pixels
_PARTS = threading.Lock()  # one thread at a time, as labels take four bytes per pixel


def is_off(finishing: Finishing) -> bool:
    """Whether it changes nothing."""
    return finishing == Finishing()


def facts(job: Job) -> dict[str, Any]:
    """Return everything that determines how finished mattes differ from tracked ones, as plain data."""
    return {
        matte_object.name: dataclasses.asdict(matte_object.finishing)
        for matte_object in job.objects
        if not is_off(matte_object.finishing)
    }


def steady(logits: Callable[[int], Logits | None], frame: int, reach: int) -> Logits | None:
    """Return the median of a frame's logits (h, w) over `reach` frames on either side; None if the frame has none.

    Both sides have the same number of frames, fewer near the ends, so that a steadily moving edge stays where it is.
    """
    own = logits(frame)
    if own is None:
        return None
    stack = [own]
    for distance in range(1, reach + 1):
        before, after = logits(frame - distance), logits(frame + distance)
        if before is None or after is None:
            break
        stack += [before, after]
    return own if len(stack) == 1 else np.median(np.stack(stack), axis=0).astype(np.float16)


def finish(
    job: Job,
    wanted: Sequence[str],
    frame: int,
    cut: Callable[[str], FinishedMatte | None],
    *,
    soft: bool,
    scale: float = 1.0,
    soften: Soften | None = None,
) -> FinishedMatte | None:
    """Return the finished matte of objects together.

    Args:
        job: has the finishing of its objects.
        wanted: names of the objects.
        frame: clip frame.
        cut: returns an object's tracked matte, a new array each time; None if it has none on the frame.
        soft: whether edges may have greys.
        scale: size of the mattes relative to the plate.
        soften: makes a matte's edge soft over a number of its pixels; None = the plate is not available.

    Returns:
        uint8 (h, w); None if none of the objects has a matte.
    """
    by_name = {matte_object.name: matte_object for matte_object in job.objects}
    wrap = job.footage.panorama
    shapes: dict[str, FinishedMatte | None] = {}

    def shape(name: str) -> FinishedMatte | None:
        if name not in shapes:
            matte = cut(name)
            shapes[name] = None if matte is None else _shape(matte, by_name[name].finishing, scale, wrap)
        return shapes[name]

    together: FinishedMatte | None = None
    for name in wanted:
        own = shape(name)
        if own is None:
            continue
        other = shape(by_name[name].finishing.subtract) if by_name[name].finishing.subtract else None
        finished = _combine(own, other, by_name[name], frame, scale, wrap, soften if soft else None, soft)
        together = finished if together is None else np.maximum(together, finished)
    return together


def _shape(matte: FinishedMatte, finishing: Finishing, scale: float, wrap: bool) -> FinishedMatte:
    """Apply the steps that need only the object's own matte."""
    if finishing.fill_holes:
        _fill_holes(matte, finishing.fill_holes * scale**2)
    if finishing.remove_islands:
        _remove_islands(matte, finishing.remove_islands * scale**2)
    if finishing.smooth:
        matte = _blurred(matte, finishing.smooth * scale, wrap)
        matte = np.where(matte >= 128, np.uint8(255), np.uint8(0))
    if finishing.grow > 0:
        matte = grown(matte, finishing.grow * scale, wrap)
    elif finishing.grow < 0:
        matte = ~grown(~matte, -finishing.grow * scale, wrap)
    return matte


def _combine(
    matte: FinishedMatte,
    other: FinishedMatte | None,
    matte_object: MatteObject,
    frame: int,
    scale: float,
    wrap: bool,
    soften: Soften | None,
    soft: bool,
) -> FinishedMatte:
    """Apply the steps that need other mattes or areas. The arguments do not change."""
    finishing = matte_object.finishing
    if other is not None:
        matte = matte & ~other
    if finishing.invert:
        matte = ~matte
    if finishing.soft and soften is not None:
        matte = soften(matte, finishing.soft * scale)
    if finishing.feather and soft:
        matte = _blurred(matte, finishing.feather * scale / 2, wrap)
    for garbage in finishing.garbage:
        matte = matte & ~_drawn(garbage, frame, scale, matte.shape)
    return matte


def _fill_holes(matte: FinishedMatte, most: float) -> None:
    """Fill holes of at most `most` pixels, in place."""
    x, y, width, height = cv2.boundingRect(matte)
    inside = matte[y : y + height, x : x + width]
    with _PARTS:
        # the added border connects everything that is not enclosed
        labels, small = _parts(np.pad(~inside, 1, constant_values=255), most, connectivity=4)
        small[labels[0, 0]] = False
        inside[small[labels[1:-1, 1:-1]]] = 255


def _remove_islands(matte: FinishedMatte, most: float) -> None:
    """Remove connected parts of at most `most` pixels, in place."""
    x, y, width, height = cv2.boundingRect(matte)
    if not width:
        return
    inside = matte[y : y + height, x : x + width]
    with _PARTS:
        labels, small = _parts(inside, most, connectivity=8)
        inside[small[labels]] = 0


def _parts(matte: FinishedMatte, most: float, connectivity: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Return connected parts of a matte as labels (h, w), 0 outside, and which labels have at most `most` pixels."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(matte, connectivity=connectivity, ltype=cv2.CV_32S)
    small = stats[:, cv2.CC_STAT_AREA] <= most
    small[0] = False
    return labels.astype(np.int32, copy=False), small


def grown(matte: FinishedMatte, length: float, wrap: bool) -> FinishedMatte:
    """Move the edge outwards by `length` (Euclidean distance); the edge is half a pixel from pixel centres."""

    def grow(band: FinishedMatte) -> FinishedMatte:
        distance = cv2.distanceTransform(~band, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return np.where(distance <= length + 0.5, np.uint8(255), np.uint8(0))

    return _in_bands(matte, math.ceil(length) + 1, wrap, grow)


def _blurred(matte: FinishedMatte, sigma: float, wrap: bool) -> FinishedMatte:
    """Blur with a Gaussian of standard deviation `sigma`; the matte is extended beyond its borders.

    A wide Gaussian is approximated by three boxes, whose cost does not grow (Kovesi, "Fast Almost-Gaussian Filtering",
    DICTA 2010). Computed with 16-bit integers: OpenCV's 8-bit kernels have no weight below 1/256, and with integers a
    band equals that part of the whole.
    """
    boxes = _boxes(sigma) if sigma >= _WIDE else []
    reach = sum(box // 2 for box in boxes) or max(1, math.ceil(3 * sigma))

    def blur(band: FinishedMatte) -> FinishedMatte:
        wide = band.astype(np.uint16) * 257
        for box in boxes:
            cv2.blur(wide, (box, box), dst=wide, borderType=cv2.BORDER_REPLICATE)
        if not boxes:
            size = (2 * reach + 1, 2 * reach + 1)
            cv2.GaussianBlur(wide, size, sigma, dst=wide, borderType=cv2.BORDER_REPLICATE)
        return (wide >> 8).astype(np.uint8)

    return _in_bands(matte, reach, wrap, blur)


def _boxes(sigma: float) -> list[int]:
    """Return the widths of three boxes that together approximate a Gaussian."""
    narrow = int(math.sqrt(4 * sigma**2 + 1) - 1) // 2 * 2 + 1  # the largest odd width that is not too large
    count = round((12 * sigma**2 - 3 * narrow**2 - 12 * narrow - 9) / (-4 * narrow - 4))
    return [narrow if i < count else narrow + 2 for i in range(3)]


def _in_bands(
    matte: FinishedMatte, reach: int, wrap: bool, work: Callable[[FinishedMatte], FinishedMatte]
) -> FinishedMatte:
    """Apply `work` in bands. A pixel may depend on others up to `reach` away; flat areas must not change.

    wrap: whether the right border continues at the left one.
    """
    result = np.empty_like(matte)
    width, beside = matte.shape[1], reach if wrap else 0
    for top in range(0, len(matte), _BAND):
        bottom = min(top + _BAND, len(matte))
        first = max(0, top - reach)
        band = matte[first : bottom + reach]
        if band.min() < band.max():
            band = work(np.pad(band, ((0, 0), (beside, beside)), mode="wrap"))[:, beside : beside + width]
        result[top:bottom] = band[top - first : bottom - first]
    return result


def _drawn(garbage: Garbage, frame: int, scale: float, shape: tuple[int, ...]) -> FinishedMatte:
    """Draw the area of a garbage matte: uint8 (h, w), 0 or 255."""
    area = np.zeros(shape, np.uint8)
    fill(area, _outlines(garbage, frame), scale, scale, holes=garbage.holes)
    return ~area if garbage.outside else area


def _outlines(garbage: Garbage, frame: int) -> Sequence[Polygon]:
    for before, after in itertools.pairwise(garbage.keys):
        if before.frame <= frame < after.frame:
            weight = (frame - before.frame) / (after.frame - before.frame)
            pairs = zip(before.polygons, after.polygons, strict=True)
            return [np.asarray(a) * (1 - weight) + np.asarray(b) * weight for a, b in pairs]
    nearest = garbage.keys[0] if frame < garbage.keys[0].frame else garbage.keys[-1]
    return [np.asarray(polygon) for polygon in nearest.polygons]
