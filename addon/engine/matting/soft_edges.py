"""Soft edges: real alpha along the edge of a finished matte, from the plate: hair, fur, leaves, motion blur.

In: a matte (H, W) and the plate (H, W, 3). Out: the matte with greys, no further from its edge than was asked.

In a band along the edge the matte is filtered with the plate as guide (He, Sun and Tang, "Guided Image Filtering",
TPAMI 2013, section 3.6, where this is matting: one step of the closed-form solution). First in a wide window, which
takes what is as wide as motion blur or a tuft of hair, then in small ones, which follow single hairs. The guide is
linear light, as that is what a lens and a shutter mix: errors were a quarter to a half lower than with sRGB values.

Between the two the result is corrected for what the hard matte does to the fit. The matte is a step where alpha rises
slowly, so the line that fits it best is too steep, by half where all values of alpha are as frequent; where alpha is 0
and 1 nearly everywhere, it is right. So the more greys a window has, the more its values are drawn to one half; 0 and 1
stay. Hair, fur and motion blur need that, leaves do not.

Solving the closed form itself (Levin, Lischinski and Weiss, TPAMI 2008) was worse on the same clips, after 40 steps of
conjugate gradients: it needs a band without any knowledge in it, which for hair and leaves is most of the subject.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from ..footage.images import Pixels
from .guided_refine import bounds_of, box_mean, guided_filter

_TILE = 256  # pixels
_FOLLOW = (4, 4, 3)  # pixels: the radii of the small windows
# The guide's variance that counts as flat, in linear light of 0 to 1, for the wide window and the small ones.
_WIDE_EPSILON, _EPSILON = 3e-5, 1e-5
_GREYS = (0.3, 0.55)  # shares of greys in a window: nothing is corrected below the first, all above the second
_SHARPEN = 1.03  # where nothing is corrected: faint greys beside the edge are noise of the plate

Floats = NDArray[np.float32]


def _linear_light() -> NDArray[np.float32]:
    """Return the linear light of each 8-bit sRGB value (IEC 61966-2-1)."""
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
    radii = [max(1, band // 2), *(max(1, min(radius, band // 2)) for radius in _FOLLOW)]
    counted = max(1, band // 3)
    around = 2 * sum(radii) + counted
    square = np.ones((2 * band + 1,) * 2, np.uint8)
    height, width = matte.shape
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            tile = slice(top, min(top + _TILE, height)), slice(left, min(left + _TILE, width))
            places, inside = _surrounded(tile, band, matte.shape, panorama)
            own = matte[places]
            if own.min() == own.max():
                continue
            near = (cv2.dilate(own, square) != cv2.erode(own, square))[inside]
            if not near.any():
                continue
            rows, columns = bounds_of(near)
            part = (
                slice(top + rows.start, top + rows.stop),
                slice(left + columns.start, left + columns.stop),
            )
            places, inside = _surrounded(part, around, matte.shape, panorama)
            alpha = _alpha(_LINEAR[to_8_bit(plate[places])], matte[places], radii, counted)
            greys = np.rint(alpha[inside] * 255).astype(np.uint8)
            np.copyto(result[part], greys, where=near[rows, columns])
    return result


def _surrounded(
    part: tuple[slice, slice], around: int, shape: tuple[int, ...], panorama: bool
) -> tuple[tuple[NDArray[np.intp], NDArray[np.intp]], tuple[slice, slice]]:
    """The indices of a part of a picture (H, W) with so many pixels around it, and where in these the part lies."""
    (rows, columns), (height, width) = part, shape
    top, left = max(0, rows.start - around), columns.start - around if panorama else max(0, columns.start - around)
    down, across = np.arange(top, min(rows.stop + around, height)), np.arange(left, columns.stop + around)
    across = across % width if panorama else across[across < width]
    inside = tuple(slice(own.start - first, own.stop - first) for own, first in ((rows, top), (columns, left)))
    return (down[:, None], across), (inside[0], inside[1])


def _alpha(guide: Floats, matte: NDArray[np.uint8], radii: list[int], counted: int) -> Floats:
    """Alpha of a part of a plate.

    Args:
        guide: (h, w, 3), linear light of 0 to 1.
        matte: (h, w), 0 or 255.
        radii: of the windows, the wide one first.
        counted: radius of the window in which greys are counted.

    Returns:
        (h, w), 0 to 1.
    """
    wide, *small = radii
    inside = matte.astype(np.float32) / np.float32(255)
    alpha = np.clip(guided_filter(guide, inside, wide, _WIDE_EPSILON), 0, 1)
    share = box_mean(inside, counted)
    greys = 4 * box_mean(np.square(alpha * (1 - alpha)), counted) / np.maximum(share * (1 - share), np.float32(1e-3))
    few, many = _GREYS
    corrected = np.clip((greys - few) / (many - few), 0, 1)
    gain = corrected + _SHARPEN * (1 - corrected)
    signed = np.clip((2 * alpha - 1) * gain, -1, 1)  # -1 to 1 is 0 to 1 of alpha
    signed += corrected * (signed**3 - signed)
    for radius in small:
        signed = np.clip(guided_filter(guide, signed, radius, _EPSILON) * gain, -1, 1)
    return np.asarray((signed + 1) / 2, np.float32)
