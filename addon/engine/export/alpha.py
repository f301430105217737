"""Alpha of exported images: the matte, alone or times the alpha that the footage has."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...job import Job
from ..images import Pixels, Plate, to_integers
from .writer import Matte


def alpha_of(plate: Plate, frame: int, matte: Matte, job: Job) -> NDArray[Any]:
    """(H, W) by the Job's wishes: uint8, 0 or 255, of the matte alone; else of the plate's own dtype."""
    alpha = matte(frame, None)
    if job.invert:
        alpha = ~alpha
    if plate.alpha is None:
        return alpha
    result: NDArray[Any] = np.where(alpha, plate.alpha, plate.alpha.dtype.type(0))
    return result


def to_integer_alpha(alpha: Pixels) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Alpha as `images.to_integers` makes pixels, but for the curve: of float, 0 to 1 is kept."""
    if alpha.dtype != np.float32:
        return to_integers(alpha)
    integers: NDArray[np.uint16] = np.rint(np.clip(np.nan_to_num(alpha), 0, 1) * 65535).astype(np.uint16)
    return integers


def in_words(job: Job) -> str:
    """What the report says of alpha."""
    words = ", alpha 0 on the subject" if job.invert else ""
    return words + (", alpha multiplied with the footage's" if job.delivery.plate_alpha == "multiply" else "")
