"""Edge refinement by a guided filter: a matte at native resolution that follows the plate's edges.

The input are logits (h, w) as the matte store keeps them and the plate (H, W, 3). The output is uint8 (H, W), 0 or 255.

One logit is many pixels wide (35 at 9000 px). In a band around the coarse edge, the matte is filtered with the plate as
a colour guide: He, Sun and Tang, "Guided Image Filtering", TPAMI 2013, equations 19 to 21. The filter runs twice: first
with windows that find the plate's edge where the model's edge is off, then with smaller windows that follow it. Both
are small, so that edges further away have no influence. Pixels outside the band do not change.

Between the two passes, colour histograms (colours.py) are made from the result of the first pass. Where they contradict
that result often enough, they shift the input of the second pass. They know little of thin parts and can't remove them.

Parts thinner than a logit stay below one half everywhere. Therefore the threshold is local: halfway between the means
of the values above and below the mean (the first step of Ridler and Calvard, "Picture Thresholding Using an Iterative
Selection Method", 1978).

On thin parts the logits often stay negative but form a ridge: less negative than on either side. Where such a ridge
starts at the matte, it is treated like the edge, with an input just below one half. So the plate decides which part of
it is subject; if the plate shows nothing there, nothing is added.

All this is computed on every `step`-th pixel, which gives functions of the colour; these are then applied to every
pixel: He and Sun, "Fast Guided Filter", arXiv 1505.00996. The band is processed in tiles with a margin that covers all
dependencies, so there are no seams and memory does not grow with the plate.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..footage.images import Pixels
from . import colour_model, upsample

Floats = NDArray[np.float32]

_TILE = 512  # pixels
# For the two passes: the window's radius in logits, and the variance of flat areas of the guide, colours in 0..1.
_PASSES = ((1 / 2, 1e-5), (1 / 3, 1e-4))
_NODE = 2.0  # logits between two nodes of the colour model
_TRUST = 0.7  # weight of the colour model against the first pass
# Shares of the band in which colours contradict the first pass: with few, the colours are wrong; with many, the pass
# is.
_CONTRADICTED = (0.03, 0.08)
_AROUND = 2  # nodes
_LEAST = 2  # samples in the radius of the smallest window, at least
_STEEPNESS = 4.0  # slope of the second pass's input at its threshold
_APART = 0.15  # difference of the two means above which the threshold is local
_THRESHOLDS = (0.3, 0.7)
_WORTH = 2.0  # pixels per logit below which there is nothing to refine
_STEEP = 20.0  # logits beyond this are treated as certain
_TRACE = -3.0  # the lowest logit of a thin part
_RISE = 3.0  # height of a ridge above the cells two away, in logits
_UNDECIDED = -0.3  # logit of ridges in the filter's input: not subject, but close enough that the plate can make it so


def refine(
    logits: NDArray[np.float16],
    plate: Pixels,
    to_8_bit: Callable[[Pixels], NDArray[np.uint8]],
    *,
    panorama: bool = False,
    cells: tuple[int, ...] | None = None,
) -> NDArray[np.uint8]:
    """Compute the plate-sized matte of one object, with its edge moved to that of the plate.

    Args:
        logits: (h, w), above 0 is subject.
        plate: (H, W, 3), upright.
        to_8_bit: converts a part of the plate to 8-bit sRGB.
        panorama: whether the picture continues across its left and right borders.
        cells: rows and columns of the model's own grid, if `logits` are finer. The search radius follows from it.

    Returns:
        uint8 (H, W), 0 or 255.
    """
    height, width = plate.shape[:2]
    cells = cells or logits.shape
    result = upsample.union([logits], width, height, panorama=panorama)
    pitch = max(height / cells[0], width / cells[1])
    if pitch < _WORTH:
        return result
    coarse = cv2.resize(np.asarray(logits, np.float32), cells[1::-1], interpolation=cv2.INTER_AREA)
    thin = _thin_parts(np.asarray(coarse, np.float32), panorama)
    band = _band((coarse > 0) | thin, panorama)
    if not band.any():
        return result
    scale = _Scale.of(pitch)
    grid = np.clip(np.asarray(logits, np.float32), -_STEEP, _STEEP)
    thin = np.asarray(cv2.resize(thin.astype(np.uint8), grid.shape[::-1], interpolation=cv2.INTER_NEAREST)) > 0
    np.maximum(grid, np.float32(_UNDECIDED), out=grid, where=thin)
    taps = upsample.taps(grid.shape[0], height), upsample.taps(grid.shape[1], width, wrap=panorama)
    rows_of, columns_of = (
        np.arange(side) * count // side for side, count in zip((height, width), band.shape, strict=True)
    )
    for top, left in _tiles(height, width):
        tile = result[top : top + _TILE, left : left + _TILE]
        inside = band[rows_of[top : top + _TILE]][:, columns_of[left : left + _TILE]]
        if not inside.any():
            continue
        first = top // scale.step - scale.reach, left // scale.step - scale.reach
        rows, columns = (
            (start + np.arange((length - 1) // scale.step + 2 * scale.reach + 2)) * scale.step + scale.step // 2
            for start, length in zip(first, tile.shape, strict=True)
        )
        rows = np.clip(rows, 0, height - 1)
        columns = columns % width if panorama else np.clip(columns, 0, width - 1)
        lines = _lines(
            to_8_bit(plate[rows[:, None], columns]),
            _sample(grid, taps, rows, columns),
            band[rows_of[rows]][:, columns_of[columns]],
            scale,
            first,
        )
        part = bounds_of(inside)
        start = top + part[0].start, left + part[1].start
        red, green, blue, level = np.moveaxis(_enlarged(lines, inside[part].shape, start, first, scale.step), 2, 0)
        guide = to_8_bit(plate[top : top + _TILE, left : left + _TILE][part])
        level = level + red * guide[..., 0] + green * guide[..., 1] + blue * guide[..., 2]
        np.copyto(tile[part], np.where(level > 0, np.uint8(255), np.uint8(0)), where=inside[part])
    return result


@dataclass(frozen=True, slots=True)
class _Scale:
    """Distances of the filter. All but `step` are in samples.

    step: pixels between two samples; filters are computed from every `step`-th pixel of every `step`-th row.
    radii: radii of the windows, one per pass.
    window: radius of the window for local thresholds.
    node: distance between nodes of the colour model.
    reach: distance of the farthest sample on which a result depends.
    """

    step: int
    radii: list[int]
    window: int
    node: int
    reach: int

    @classmethod
    def of(cls, pitch: float) -> _Scale:
        """The distances for a number of pixels per logit."""
        step = max(1, round(_PASSES[-1][0] * pitch / _LEAST))
        radii = [max(1, round(share * pitch / step)) for share, _ in _PASSES]
        window, node = max(1, round(pitch / step)), max(2, round(_NODE * pitch / step))
        reach = sum(2 * radius + 2 * window for radius in radii) + (colour_model.REACH + _AROUND) * node
        return cls(step, radii, window, node, reach)


def _lines(
    pixels: NDArray[np.uint8], logits: Floats, near: NDArray[np.bool_], scale: _Scale, first: tuple[int, int]
) -> Floats:
    """Compute, for every sample, the function of the colour that is above 0 in the subject.

    Args:
        pixels: (h, w, 3), every `step`-th pixel of the plate.
        logits: (h, w), at these pixels.
        near: (h, w), whether they are near the coarse edge.
        scale: distances of the filter.
        first: row and column of the first sample, counted in samples.

    Returns:
        (h, w, 4): three slopes for colours in 0..255, and an offset.
    """
    guide = pixels.astype(np.float32) / np.float32(255)
    coarse = (1 / (1 + np.exp(-logits))).astype(np.float32)
    (_, epsilon), (_, finer) = _PASSES
    filtered = guided_filter(guide, coarse, scale.radii[0], epsilon)
    above = filtered - _thresholds(filtered, scale.window)
    found = above > 0
    said = colour_model.evidence(pixels, found, found == (logits > 0), near, scale.node, first)
    said[_thin(found, scale.window) & (said < 0)] = 0
    against = ((_STEEPNESS * above + _TRUST * said > 0) != found) & near
    around = functools.partial(box_mean, radius=_AROUND * scale.node)
    share = around(against.astype(np.float32)) / np.maximum(around(near.astype(np.float32)), np.float32(1e-3))
    few, many = _CONTRADICTED
    trust = _TRUST * np.clip((share - few) / (many - few), 0, 1)
    source = np.clip(_STEEPNESS * above + trust * said + 0.5, 0, 1).astype(np.float32)
    slopes, offset = _linear(guide, source, scale.radii[1], finer)
    filtered = offset + sum(slopes[i] * guide[..., i] for i in range(3))
    offset = offset - _thresholds(filtered, scale.window)
    return np.stack([*(slope / np.float32(255) for slope in slopes), offset], 2)


def _thin(mask: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """The parts of a mask that are thinner than a number of pixels, and too small for a colour model."""
    radius = max(1, round(width / 2))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    opened = np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel)) > 0
    return np.asarray(mask & ~opened)


def _enlarged(
    values: Floats, shape: tuple[int, ...], start: tuple[int, int], first: tuple[int, int], step: int
) -> Floats:
    """Interpolate samples (h, w, c) at every pixel of a tile."""
    if step == 1:
        rows, columns = (slice(a - b, a - b + n) for a, b, n in zip(start, first, shape, strict=True))
        return values[rows, columns]
    down, across = ((a - step // 2) / step - b for a, b in zip(start, first, strict=True))
    place = np.array([[1 / step, 0, across], [0, 1 / step, down]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(values, place, shape[1::-1], flags=flags), np.float32)


def guided_filter(guide: Floats, source: Floats, radius: int, epsilon: float) -> Floats:
    """Fit `source` (h, w) by a local linear function of the colours of `guide` (h, w, 3), 0..1, around every pixel.

    A result depends on pixels up to twice `radius` away.
    """
    slopes, offset = _linear(guide, source, radius, epsilon)
    result: Floats = offset + sum(slopes[i] * guide[..., i] for i in range(3))
    return result


def _linear(guide: Floats, source: Floats, radius: int, epsilon: float) -> tuple[list[Floats], Floats]:
    """The functions of `guided_filter`: three slopes and an offset, all (h, w)."""
    mean = functools.partial(box_mean, radius=radius)
    planes = [np.ascontiguousarray(guide[..., i]) for i in range(3)]
    means, level = [mean(plane) for plane in planes], mean(source)
    # the upper triangle of the 3 x 3 covariance of colours, row by row, and their covariance with the source
    flat = np.float32(epsilon)
    rr, rg, rb, gg, gb, bb = (
        mean(planes[i] * planes[j]) - means[i] * means[j] + flat * (i == j) for i in range(3) for j in range(i, 3)
    )
    r, g, b = (mean(colour * source) - level_mean * level for colour, level_mean in zip(planes, means, strict=True))
    # Solved as L D L^T. Cofactors are too inexact in float32 where the colours lie on a line, as they do along an edge.
    rr = np.maximum(rr, flat)
    rg_rr, rb_rr = rg / rr, rb / rr
    gg = np.maximum(gg - rg_rr * rg, flat)  # no pivot of the exact matrix is smaller
    gb -= rg_rr * rb
    gb_gg = gb / gg
    bb = np.maximum(bb - rb_rr * rb - gb_gg * gb, flat)
    g -= rg_rr * r
    blue = (b - rb_rr * r - gb_gg * g) / bb
    green = g / gg - gb_gg * blue
    slopes = [r / rr - rg_rr * green - rb_rr * blue, green, blue]
    offset = level - sum(slope * level_mean for slope, level_mean in zip(slopes, means, strict=True))
    return [mean(slope) for slope in slopes], mean(offset)


def _thresholds(values: Floats, radius: int) -> Floats:
    """Local thresholds of the values (h, w), 0..1. They depend on pixels up to twice `radius` away."""
    level = box_mean(values, radius)
    above = (values > level).astype(np.float32)
    share = box_mean(above, radius)
    tiny = np.float32(1e-6)
    sum_above = box_mean(values * above, radius)
    high, low = sum_above / np.maximum(share, tiny), (level - sum_above) / np.maximum(1 - share, tiny)
    halfway = np.where(high - low < _APART, 0.5, np.clip((high + low) / 2, *_THRESHOLDS))
    return halfway.astype(np.float32)


def box_mean(image: Floats, radius: int) -> Floats:
    """The mean of the square of pixels up to `radius` away, of an image (h, w), mirrored at its borders."""
    return np.asarray(cv2.boxFilter(image, -1, (2 * radius + 1, 2 * radius + 1)), np.float32)


def _thin_parts(logits: Floats, panorama: bool) -> NDArray[np.bool_]:
    """The cells outside the matte on a ridge of logits that starts at the matte."""
    columns = logits.shape[1]
    around = np.tile(logits, (1, 3)) if panorama else logits  # parts continue across the seam
    rise = np.asarray(cv2.morphologyEx(around, cv2.MORPH_TOPHAT, np.ones((5, 5), np.uint8)))
    matte_there = around > 0
    ridge = ~matte_there & (around > _TRACE) & (rise > _RISE)
    _, parts = cv2.connectedComponents((matte_there | ridge).astype(np.uint8), connectivity=8)
    found: NDArray[np.bool_] = ridge & np.isin(parts, np.unique(np.asarray(parts)[matte_there]))
    return found[:, columns : 2 * columns] if panorama else found


def _band(inside: NDArray[np.bool_], panorama: bool) -> NDArray[np.bool_]:
    """The cells of the grid that contain an edge or lie beside one."""
    padded = np.pad(inside.astype(np.uint8), ((0, 0), (1, 1)), mode="wrap" if panorama else "edge")
    kernel = np.ones((3, 3), np.uint8)
    band: NDArray[np.bool_] = (cv2.dilate(padded, kernel) != cv2.erode(padded, kernel))[:, 1:-1]
    return band


def bounds_of(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """The range of rows and of columns in which a mask is True."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _tiles(height: int, width: int) -> Iterator[tuple[int, int]]:
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            yield top, left


def _sample(
    grid: Floats, taps: tuple[upsample.Taps, upsample.Taps], rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> Floats:
    """Interpolate the logits at positions of the plate, as `upsample.union` does."""
    (upper, lower, down), (first, second, right) = taps
    share = down[rows, None]
    band = grid[upper[rows]] * (1 - share) + grid[lower[rows]] * share
    share = right[columns]
    return (band[:, first[columns]] * (1 - share) + band[:, second[columns]] * share).astype(np.float32, copy=False)
