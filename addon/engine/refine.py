"""Refine edges: a matte at native resolution that follows the plate's own edges, where the model's grid is coarser.

In: logits (h, w) as the matte store keeps them, and the plate (H, W, 3). Out: uint8 (H, W), 0 or 255.

One logit is many pixels wide (35 at 9000 px). In the band around the coarse edge the matte is filtered with the plate
as guide: He, Sun and Tang, "Guided Image Filtering", TPAMI 2013, equations 19 to 21, the guide in colour. It is done
twice: first in windows that find the plate's edge where the model's is off, then in smaller ones that follow it. Both
are small, so that no edge further away is taken for it. What is not near the edge stays as it is.
What is thinner than a logit stays below one half all along, so the threshold is a local one: halfway between the means
of what is above and below the mean (the first step of Ridler and Calvard, "Picture Thresholding Using an Iterative
Selection Method", 1978).

The band is worked on in tiles, each with all around it that its result depends on. So there are no seams, and memory
doesn't grow with the plate.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from . import matte
from .images import Pixels

Floats = NDArray[np.float32]

_TILE = 512  # pixels
# Of each pass: the window's radius in logits; the guide's variance that counts as flat, colours in 0..1.
_PASSES = ((1 / 2, 1e-5), (1 / 3, 1e-4))
_STEEPNESS = 4.0  # of what the second pass starts from, about its threshold
_APART = 0.15  # the two means at least, for a threshold of their own
_THRESHOLDS = (0.3, 0.7)
_WORTH = 2.0  # pixels a logit: below, there is nothing between the logits to be found
_STEEP = 20.0  # logits beyond are as certain as they can be


def refine(
    logits: NDArray[np.float16],
    plate: Pixels,
    to_8_bit: Callable[[Pixels], NDArray[np.uint8]],
    *,
    panorama: bool = False,
) -> NDArray[np.uint8]:
    """The plate-sized matte of one object, its edge moved to the plate's.

    Args:
        logits: (h, w), above 0 is subject.
        plate: (H, W, 3), upright.
        to_8_bit: makes a part of the plate 8-bit sRGB.
        panorama: whether the right border goes on at the left one.

    Returns:
        uint8 (H, W), 0 or 255.
    """
    height, width = plate.shape[:2]
    result = matte.union([logits], width, height, panorama=panorama)
    pitch = max(height / logits.shape[0], width / logits.shape[1])
    band = _band(logits, panorama)
    if pitch < _WORTH or not band.any():
        return result
    window = max(1, round(pitch))
    passes = [(max(1, round(share * pitch)), epsilon) for share, epsilon in _PASSES]
    reach = sum(2 * radius + 2 * window for radius, _ in passes)
    grid = np.clip(np.asarray(logits, np.float32), -_STEEP, _STEEP)
    taps = matte.taps(grid.shape[0], height), matte.taps(grid.shape[1], width, wrap=panorama)
    rows_of, columns_of = (
        np.arange(side) * count // side for side, count in zip((height, width), band.shape, strict=True)
    )
    for top, left in _tiles(height, width):
        inside = band[rows_of[top : top + _TILE]][:, columns_of[left : left + _TILE]]
        if not inside.any():
            continue
        rows = np.clip(np.arange(top - reach, min(top + _TILE, height) + reach), 0, height - 1)
        columns = np.arange(left - reach, min(left + _TILE, width) + reach)
        columns = columns % width if panorama else np.clip(columns, 0, width - 1)
        guide = to_8_bit(plate[rows[:, None], columns]).astype(np.float32) / np.float32(255)
        coarse = (1 / (1 + np.exp(-_sample(grid, taps, rows, columns)))).astype(np.float32)
        for radius, epsilon in passes:
            filtered = guided_filter(guide, coarse, radius, epsilon)
            above = filtered - _thresholds(filtered, window)
            coarse = np.clip(_STEEPNESS * above + np.float32(0.5), 0, 1)
        subject = above[reach:-reach, reach:-reach] > 0
        tile = result[top : top + _TILE, left : left + _TILE]
        tile[inside] = np.where(subject, np.uint8(255), np.uint8(0))[inside]
    return result


def guided_filter(guide: Floats, source: Floats, radius: int, epsilon: float) -> Floats:
    """`source` (h, w) as the best linear function of the colours of `guide` (h, w, 3), 0..1, around each pixel.

    A pixel depends on none further than twice `radius` away.
    """
    mean = functools.partial(_mean, radius=radius)
    colours = [np.ascontiguousarray(guide[..., i]) for i in range(3)]
    means, level = [mean(each) for each in colours], mean(source)
    # the upper triangle of the 3 x 3 covariance of colours, row by row, and their covariance with the source
    rr, rg, rb, gg, gb, bb = (
        mean(colours[i] * colours[j]) - means[i] * means[j] + np.float32(epsilon * (i == j))
        for i in range(3)
        for j in range(i, 3)
    )
    r, g, b = (mean(colour * source) - each * level for colour, each in zip(colours, means, strict=True))
    # the inverse by cofactors
    c0, c1, c2 = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
    c3, c4, c5 = rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg
    scale = 1 / (rr * c0 + rg * c1 + rb * c2)
    slopes = [
        (c0 * r + c1 * g + c2 * b) * scale,
        (c1 * r + c3 * g + c4 * b) * scale,
        (c2 * r + c4 * g + c5 * b) * scale,
    ]
    offset = level - sum(slope * each for slope, each in zip(slopes, means, strict=True))
    result: Floats = mean(offset) + sum(mean(slope) * colour for slope, colour in zip(slopes, colours, strict=True))
    return result


def _thresholds(values: Floats, radius: int) -> Floats:
    """What divides the values (h, w), 0..1, around each pixel; depends on none further than twice `radius` away."""
    level = _mean(values, radius)
    above = (values > level).astype(np.float32)
    share = _mean(above, radius)
    tiny = np.float32(1e-6)
    sum_above = _mean(values * above, radius)
    high, low = sum_above / np.maximum(share, tiny), (level - sum_above) / np.maximum(1 - share, tiny)
    halfway = np.where(high - low < _APART, 0.5, np.clip((high + low) / 2, *_THRESHOLDS))
    return halfway.astype(np.float32)


def _mean(image: Floats, radius: int) -> Floats:
    return np.asarray(cv2.boxFilter(image, -1, (2 * radius + 1, 2 * radius + 1)), np.float32)


def _band(logits: NDArray[np.float16], panorama: bool) -> NDArray[np.bool_]:
    """The cells of the grid that have an edge in or beside them."""
    inside = np.pad((logits > 0).astype(np.uint8), ((0, 0), (1, 1)), mode="wrap" if panorama else "edge")
    kernel = np.ones((3, 3), np.uint8)
    band: NDArray[np.bool_] = (cv2.dilate(inside, kernel) != cv2.erode(inside, kernel))[:, 1:-1]
    return band


def _tiles(height: int, width: int) -> Iterator[tuple[int, int]]:
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            yield top, left


def _sample(
    grid: Floats, taps: tuple[matte.Taps, matte.Taps], rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> Floats:
    """The logits at places of the plate, as `matte.union` interpolates them."""
    (upper, lower, down), (first, second, right) = taps
    share = down[rows, None]
    band = grid[upper[rows]] * (1 - share) + grid[lower[rows]] * share
    share = right[columns]
    return (band[:, first[columns]] * (1 - share) + band[:, second[columns]] * share).astype(np.float32, copy=False)
