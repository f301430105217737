"""360-degree equirectangular footage: what leaves the frame at one side comes in at the other.

SAM 2 sees such a frame with a strip of the other side beyond either border, so that a subject on the seam is whole at
least once. Both copies of the strips are prompted, and both count: the matte is continuous over the seam.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_STRIPS = 10  # a strip is about this part of what SAM 2 sees; a multiple of 4 pixels, which are one pixel of its masks


def _strip(side: int) -> int:
    return side // (4 * _STRIPS) * 4


def widen(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A frame or mask as SAM 2's input, uint8 (S, S) or (S, S, 3), with the strips beside it, of the same size."""
    side = pixels.shape[1]
    strip = _strip(side)
    narrow = np.asarray(Image.fromarray(pixels).resize((side - 2 * strip, side), Image.Resampling.BICUBIC))
    return np.pad(narrow, ((0, 0), (strip, strip), *((0, 0),) * (pixels.ndim - 2)), mode="wrap")


def places(x: float, side: int) -> list[float]:
    """Where on the widened frame a position is, once or twice; both in 0..1 of the width. side: of SAM 2's input."""
    share = _strip(side) / side
    wide = share + x * (1 - 2 * share)
    copies = (wide, wide - (1 - 2 * share), wide + (1 - 2 * share))
    return [copy for copy in copies if 0 <= copy <= 1]


def narrow(logits: NDArray[Any]) -> NDArray[Any]:
    """Logits (s, s) of the widened frame as those of the frame, (s, s - strips): the greater, where there are two."""
    strip = _strip(4 * logits.shape[1]) // 4
    result = logits[:, strip:-strip].copy()
    np.maximum(result[:, :strip], logits[:, -strip:], out=result[:, :strip])
    np.maximum(result[:, -strip:], logits[:, :strip], out=result[:, -strip:])
    return result


def widened(logits: NDArray[Any]) -> NDArray[Any]:
    """What `narrow` was given, as far as it is known: (s, s)."""
    strip = (logits.shape[0] - logits.shape[1]) // 2
    return np.pad(logits, ((0, 0), (strip, strip)), mode="wrap")
