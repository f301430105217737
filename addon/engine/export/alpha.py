"""The alpha channel of exported images: the matte, alone or multiplied with the footage's own alpha."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...contract.job import Job
from ..footage.images import Pixels, Plate, to_integers
from .writer import MatteOf

_BAND = 512  # rows


def alpha_of(plate: Plate, frame: int, matte: MatteOf, job: Job) -> NDArray[Any]:
    """Return alpha (H, W), inverted if the Job says so: uint8, or if multiplied, the dtype of the plate's own alpha."""
    alpha = matte(frame, None)
    if job.invert:
        alpha = ~alpha
    if plate.alpha is None:
        return alpha
    result = np.empty_like(plate.alpha)
    for top in range(0, len(alpha), _BAND):
        rows = slice(top, top + _BAND)
        product = plate.alpha[rows] * (alpha[rows] / np.float64(255))
        result[rows] = product if result.dtype == np.float32 else np.rint(product)
    return result


def to_integer_alpha(alpha: Pixels) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Convert alpha as `images.to_integers` converts pixels, but linearly: float values are clipped to 0..1."""
    if alpha.dtype != np.float32:
        return to_integers(alpha)
    integers: NDArray[np.uint16] = np.rint(np.clip(np.nan_to_num(alpha), 0, 1) * 65535).astype(np.uint16)
    return integers


def in_words(job: Job) -> str:
    """The report's remark on alpha, or an empty text."""
    words = ", alpha 0 on the subject" if job.invert else ""
    return words + (", alpha multiplied with the footage's" if job.delivery.plate_alpha == "multiply" else "")
