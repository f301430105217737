"""From SAM 2's logits to a matte at the plate's size.

In: logits (h, w) as the matte store keeps them, usually 256 x 256, squashed from the plate's aspect.
Out: uint8 (height, width), 0 or 255.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

_BAND = 256  # rows worked on at once: bounds the float32 logits of a 6000 x 9000 plate to 6 MB


def union(logits: Iterable[NDArray[np.float16]], width: int, height: int) -> NDArray[np.uint8]:
    """The plate-sized matte of all objects together.

    Bilinear interpolation with pixel centres at .5 and clamped borders, thresholded at 0: the same as torch's
    `interpolate(mode="bilinear", align_corners=False) > 0` that upstream SAM 2 uses, but a band of rows at a time, so
    that the logits never exist at full size.

    Args:
        logits: one float (h, w) array an object; above 0 is subject.
        width, height: of the plate, in pixels.

    Returns:
        uint8 (height, width), 255 where any object is, 0 elsewhere.
    """
    matte = np.zeros((height, width), np.uint8)
    for each in logits:
        source = np.asarray(each, np.float32)
        if source.max() <= 0:
            continue
        upper, lower, weight = _vertical_taps(source.shape[0], height)
        for top in range(0, height, _BAND):
            rows = slice(top, min(top + _BAND, height))
            w = weight[rows, None]
            band = source[upper[rows]] * (1 - w) + source[lower[rows]] * w
            if band.max() <= 0:
                continue
            wide = cv2.resize(band, (width, band.shape[0]), interpolation=cv2.INTER_LINEAR)
            matte[rows][wide > 0] = 255
    return matte


def _vertical_taps(source: int, target: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """For each target row: the two source rows it lies between and the weight of the lower one."""
    centre = (np.arange(target) + 0.5) * (source / target) - 0.5
    centre = np.clip(centre, 0, source - 1)
    upper = np.floor(centre).astype(np.intp)
    return upper, np.minimum(upper + 1, source - 1), (centre - upper).astype(np.float32)
