"""Suggestions: the automatic masks of one frame as outlines that a person can click on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..footage import Reader
from ..images import to_8_bit
from ..outlines import curves_of
from ..predictor import Predictor
from .masks import Settings, generate, stopping

_POINTS = 64  # of an outline
_MOST_PATHS = 8  # of a mask, the largest


def suggestions(
    predictor: Predictor, reader: Reader, frame: int, cancelled: Callable[[], bool]
) -> list[dict[str, Any]]:
    """The masks of a clip frame, the largest first, as Session.suggest says. Called inside `Loaded.computing()`."""
    picture = to_8_bit(reader.plate(frame).pixels)
    height, width = picture.shape[:2]
    found = []
    for each in generate(predictor, picture, Settings(), cancelled=stopping(cancelled)):
        mask = each.segmentation.mask()
        scale = width / mask.shape[1], height / mask.shape[0]
        curves = curves_of(mask.astype(np.uint8) * 255, _POINTS)[:_MOST_PATHS]
        if curves:
            found.append({"area": each.area, "paths": [(curve * scale).tolist() for curve in curves]})
    return sorted(found, key=lambda each: -each["area"])
