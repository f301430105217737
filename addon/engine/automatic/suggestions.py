"""Masks of one frame as outlines to click on: automatic masks, or the results of a search on that frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from ..footage.footage import Reader
from ..footage.images import to_8_bit
from ..matting.outlines import curves_of
from ..sam2.predictor import Predictor
from .grid import Mask
from .masks import Settings, generate, stopping

_POINTS = 64  # points of an outline, at most
_MOST_PATHS = 8  # outlines of a mask, at most; the largest are kept


def suggestions(
    predictor: Predictor, reader: Reader, frame: int, cancelled: Callable[[], bool], batch: int
) -> list[dict[str, Any]]:
    """The automatic masks of a clip frame, the largest first, in the format of Session.suggest.

    batch: number of points per batch.

    Called inside `Loaded.computing()`.
    """
    picture = to_8_bit(reader.plate(frame).pixels)
    found = generate(predictor, picture, Settings(points_per_batch=batch), cancelled=stopping(cancelled))
    size = picture.shape[1], picture.shape[0]
    return outlined(dict(enumerate((mask.segmentation.mask() for mask in found), 1)), *size)


def outlined(masks: dict[int, Mask], width: int, height: int) -> list[dict[str, Any]]:
    """The outlines of masks, given by number, in pixels of a plate; the largest first, in the format of
    Session.suggest.

    Masks that are too small for an outline are left out.
    """
    found = []
    for number, mask in masks.items():
        scale = width / mask.shape[1], height / mask.shape[0]
        x, y, w, h = cv2.boundingRect(
            mask.astype(np.uint8)
        )  # only the box, because there may be hundreds of small masks
        part = np.ascontiguousarray(mask[y : y + h, x : x + w])
        curves = curves_of(part.astype(np.uint8) * 255, _POINTS)[:_MOST_PATHS] if part.size else []
        if curves:
            area = float(np.count_nonzero(part)) * scale[0] * scale[1]
            paths = [((curve + np.array((x, y))) * scale).tolist() for curve in curves]
            found.append({"number": number, "area": area, "paths": paths})
    return sorted(found, key=lambda segment: -segment["area"])
