"""Soft edges: real alpha along the edge of a finished matte, from the plate: hair, fur, leaves, motion blur.

In: a matte (H, W) and the plate (H, W, 3). Out: the matte with greys, no further from its edge than was asked.

In a band along the edge the matte is filtered with the plate as guide (He, Sun and Tang, "Guided Image Filtering",
TPAMI 2013, section 3.6, where this is matting: one step of the closed-form solution). Twice: a wide window takes what
is as wide as motion blur or a tuft of hair, then a small one follows single hairs. The guide is linear light, because
that is what a lens and a shutter mix: errors were a quarter to a half lower than with sRGB values.

Solving the closed form itself (Levin, Lischinski and Weiss, TPAMI 2008) was worse on the same clips, after 40 steps of
conjugate gradients: it needs a band without any knowledge in it, which for hair and leaves is most of the subject.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from ..footage.images import Pixels
from .guided_refine import guided_filter

_TILE = 256  # pixels
_FOLLOWS = 4  # pixels: the radius of the small window
_EPSILON = 1e-5  # the guide's variance that counts as flat, linear light of 0 to 1


def _linear_light() -> NDArray[np.float32]:
    """Of each 8-bit sRGB value (IEC 61966-2-1)."""
    value = np.arange(256) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


_LINEAR = _linear_light()


def soften(
    matte: NDArray[np.uint8],
    plate: Pixels,
    to_8_bit: Callable[[Pixels], NDArray[np.uint8]],
    reach: float,
    *,
    panorama: bool = False,
) -> NDArray[np.uint8]:
    """The matte with alpha along its edge.

    Args:
        matte: (H, W), 0 or 255.
        plate: (H, W, 3), upright.
        to_8_bit: makes a part of the plate 8-bit sRGB.
        reach: pixels to either side of the edge that may become grey; below 1 nothing does.
        panorama: whether the right border goes on at the left one.

    Returns:
        uint8 (H, W), a new array.
    """
    result = matte.copy()
    band = int(reach)
    if band < 1:
        return result
    radii = max(1, band // 2), max(1, min(_FOLLOWS, band // 2))
    height, width = matte.shape
    around = max(2 * sum(radii), band)
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            bottom, right = min(top + _TILE, height), min(left + _TILE, width)
            rows = np.arange(max(0, top - around), min(bottom + around, height))
            columns = np.arange(left - around, right + around)
            columns = columns % width if panorama else columns[(columns >= 0) & (columns < width)]
            own = matte[rows[:, None], columns]
            if own.min() == own.max():
                continue
            first = top - rows[0], around if panorama else min(left, around)
            inside = slice(first[0], first[0] + bottom - top), slice(first[1], first[1] + right - left)
            square = np.ones((2 * band + 1,) * 2, np.uint8)
            near = (cv2.dilate(own, square) != cv2.erode(own, square))[inside]
            if not near.any():
                continue
            guide = _LINEAR[to_8_bit(plate[rows[:, None], columns])]
            alpha = own.astype(np.float32) / np.float32(255)
            for radius in radii:
                alpha = np.clip(guided_filter(guide, alpha, radius, _EPSILON), 0, 1)
            greys = np.rint(alpha[inside] * 255).astype(np.uint8)
            np.copyto(result[top:bottom, left:right], greys, where=near)
    return result
