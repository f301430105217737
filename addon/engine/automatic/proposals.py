"""Automatic masks of a clip frame. In a panorama they continue across the seam."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...contract.rle import Rle
from ..footage import panorama
from ..footage.footage import Reader
from ..footage.images import to_8_bit
from ..sam2.predictor import Predictor
from .grid import Mask, iou
from .masks import Settings, generate


def propose(
    predictor: Predictor,
    reader: Reader,
    frame: int,
    settings: Settings,
    *,
    points: NDArray[np.float64] | None = None,
    cancelled: Callable[[], None] = lambda: None,
) -> list[Rle]:
    """Find all masks of a clip frame, in the order of `generate`, at the plate's size or scaled down to MASK_SIDE.

    A panorama is extended by a strip of the opposite side at either border. Masks that lie in a strip alone are
    dropped, because they are found in the middle, too. Of masks that are found twice, one is kept.

    Args:
        predictor: the model; called inside `Loaded.computing()`.
        reader: the footage.
        frame: clip frame, from 1.
        settings: upstream's parameters.
        points: (n, 2), x and y in 0..1 of the plate: prompts in place of the grid.
        cancelled: called between two batches; it raises an exception to stop.

    Raises FootageError if the frame can't be read.
    """
    picture = to_8_bit(reader.plate(frame).pixels)
    if not reader.is_panorama:
        found = generate(predictor, picture, settings, points=points, cancelled=cancelled)
        return [mask.segmentation for mask in found]
    if points is not None:
        points = np.stack((panorama.across_strips(points[:, 0]), points[:, 1]), axis=1)
    found = generate(predictor, panorama.with_strips(picture), settings, points=points, cancelled=cancelled)
    kept: list[Mask] = []
    for mask in found:
        joined = panorama.joined(mask.segmentation.mask())
        if joined is not None and all(iou(joined, other) <= settings.box_nms_thresh for other in kept):
            kept.append(joined)
    return [Rle.of(mask) for mask in kept]
