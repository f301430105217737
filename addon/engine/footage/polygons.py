"""Rasterising drawn outlines."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Polygon = ArrayLike  # (n, 2) of x, y: image pixels from the top left, pixel centres at .5

_FAR = 1e6  # pixels: coordinates are clipped to this, as cv2 uses 32-bit integers


def fill(canvas: NDArray[np.uint8], polygons: Iterable[Polygon], x_scale: float, y_scale: float, holes: bool) -> None:
    """Fill outlines with 255, in place.

    Args:
        canvas: uint8 (h, w).
        polygons: closed outlines, in image pixels.
        x_scale, y_scale: size of a canvas pixel divided into image pixels: canvas = image * scale.
        holes: overlaps stay empty (even-odd rule) instead of being filled.
    """
    scale = np.array((x_scale, y_scale))
    # in cv2 pixel centres are at whole numbers
    outlines = [
        np.rint(np.clip(np.asarray(polygon) * scale - 0.5, -_FAR, _FAR)).astype(np.int32) for polygon in polygons
    ]
    for together in [outlines] if holes else [[outline] for outline in outlines]:
        cv2.fillPoly(canvas, together, 255)  # several at once fill by even-odd
