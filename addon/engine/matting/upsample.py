"""Interpolation of SAM 2's logits to a matte at the plate's size.

The input are logits (h, w) as the matte store keeps them, usually 256 x 256, whatever the plate's aspect ratio is. The
output is uint8 (height, width), 0 or 255.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

_BAND = 256  # rows processed at a time, which bounds float32 logits of a 6000 x 9000 plate to 6 MB

Taps = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]


def union(
    logits: Iterable[NDArray[np.float16]], width: int, height: int, *, panorama: bool = False
) -> NDArray[np.uint8]:
    """Compute the plate-sized matte of all objects together.

    Bilinear interpolation with pixel centres at .5 and clamped borders, thresholded at 0: the same as torch's
    `interpolate(mode="bilinear", align_corners=False) > 0` that upstream SAM 2 uses, but a band of rows at a time, so
    that the logits never exist at full size.

    Args:
        logits: one array (h, w), float, per object; values above 0 are subject.
        width, height: size of the plate in pixels.
        panorama: whether the picture continues across its left and right borders.

    Returns:
        uint8 (height, width), 255 inside any object, 0 elsewhere.
    """
    matte = np.zeros((height, width), np.uint8)
    for array in logits:
        if array.max() <= 0:
            continue
        for top in range(0, height, _BAND):
            rows = slice(top, min(top + _BAND, height))
            wide = enlarged(array, width, height, rows, panorama=panorama, above=0)
            if wide is not None:
                matte[rows][wide > 0] = 255
    return matte


def enlarged(
    logits: NDArray[np.float16],
    width: int,
    height: int,
    rows: slice,
    *,
    panorama: bool = False,
    above: float = -np.inf,
) -> NDArray[np.float32] | None:
    """Interpolate rows of an object's logits at the plate's size, float32 (rows, width), as `union` does.

    None if no value is above `above`.
    """
    source = np.asarray(logits, np.float32)
    upper, lower, weight = (tap[rows] for tap in taps(source.shape[0], height))
    band = source[upper] * (1 - weight[:, None]) + source[lower] * weight[:, None]
    if band.max() <= above:
        return None
    if not panorama:
        resized: Any = cv2.resize(band, (width, band.shape[0]), interpolation=cv2.INTER_LINEAR)
        return cast("NDArray[np.float32]", resized)
    left, right, share = taps(source.shape[1], width, wrap=True)
    wide: NDArray[np.float32] = band[:, left] * (1 - share) + band[:, right] * share
    return wide


@functools.lru_cache(maxsize=8)
def taps(source: int, target: int, *, wrap: bool = False) -> Taps:
    """For every target row or column: its two neighbours in the source, and the weight of the second."""
    centre = (np.arange(target) + 0.5) * (source / target) - 0.5
    if not wrap:
        centre = np.clip(centre, 0, source - 1)
    first = np.floor(centre).astype(np.intp)
    second = (first + 1) % source if wrap else np.minimum(first + 1, source - 1)
    return first % source, second, (centre - first).astype(np.float32)
