"""Drawn outlines as pixels."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Polygon = ArrayLike  # (n, 2) of x, y: image pixels from the top left, pixel centres at .5

_FAR = 1e6  # pixels: what lies beyond is drawn as if it were there; cv2 counts in 32 bits


def fill(canvas: NDArray[np.uint8], polygons: Iterable[Polygon], x_scale: float, y_scale: float, holes: bool) -> None:
    """Fill outlines with 255, in place.

    Args:
        canvas: (h, w).
        polygons: closed outlines.
        x_scale, y_scale: from their pixels to the canvas's.
        holes: whether overlaps stay empty (even-odd) or are filled.
    """
    scale = np.array((x_scale, y_scale))
    # cv2 puts pixel centres at whole numbers
    outlines = [
        np.rint(np.clip(np.asarray(polygon) * scale - 0.5, -_FAR, _FAR)).astype(np.int32) for polygon in polygons
    ]
    for together in [outlines] if holes else [[outline] for outline in outlines]:
        cv2.fillPoly(canvas, together, 255)  # several at once fill by even-odd
