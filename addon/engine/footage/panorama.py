"""360-degree equirectangular footage, whose left and right borders meet at a seam.

SAM 2 sees such a frame with a strip of the opposite side added at each border, so that a subject on the seam is whole
at least once. Prompts are given in both copies of a strip, and both results are combined. So the matte is continuous
over the seam.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_STRIPS = 10  # a strip is about 1 / _STRIPS of SAM 2's input; a multiple of 4 pixels, which are one pixel of its masks


def strip_of(side: int) -> int:
    """The width in pixels of a strip on SAM 2's input of `side` pixels."""
    return side // (4 * _STRIPS) * 4


def widen(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Add the strips to SAM 2's input, a frame or mask uint8 (S, S) or (S, S, 3). The result has the same size."""
    side = pixels.shape[1]
    strip = strip_of(side)
    narrow = np.asarray(Image.fromarray(pixels).resize((side - 2 * strip, side), Image.Resampling.BICUBIC))
    return np.pad(narrow, ((0, 0), (strip, strip), *((0, 0),) * (pixels.ndim - 2)), mode="wrap")


def without_strips(widened_frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Undo `widen`: return (S, S) or (S, S, 3) without the strips of the other side: (S, S - strips, ...)."""
    strip = strip_of(widened_frame.shape[1])
    return widened_frame[:, strip:-strip]


def places(x: float, side: int) -> list[float]:
    """The one or two positions on the widened frame of a position on the frame. Both are 0..1 of the width.

    side: width of SAM 2's input in pixels.
    """
    share = strip_of(side) / side
    wide = share + x * (1 - 2 * share)
    copies = (wide, wide - (1 - 2 * share), wide + (1 - 2 * share))
    return [copy for copy in copies if 0 <= copy <= 1]


def narrow(logits: NDArray[Any]) -> NDArray[Any]:
    """Remove the strips from logits (s, s). The result is (s, s - strips) and has the greater of two values."""
    return _folded(logits, strip_of(4 * logits.shape[1]) // 4)


def _folded(wide: NDArray[Any], strip: int) -> NDArray[Any]:
    """Remove strips of so many columns, keeping the greater of the values there and in the strips."""
    result = wide[:, strip:-strip].copy()
    np.maximum(result[:, :strip], wide[:, -strip:], out=result[:, :strip])
    np.maximum(result[:, -strip:], wide[:, :strip], out=result[:, -strip:])
    return result


def widened(logits: NDArray[Any]) -> NDArray[Any]:
    """The inverse of `narrow`, as far as possible: logits (s, s) of the widened frame."""
    strip = (logits.shape[0] - logits.shape[1]) // 2
    return np.pad(logits, ((0, 0), (strip, strip)), mode="wrap")


def with_strips(plate: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Add the strips to a plate (H, W, 3), which keeps its scale: (H, W + strips, 3)."""
    strip = round(plate.shape[1] / (_STRIPS - 2))
    return np.pad(plate, ((0, 0), (strip, strip), (0, 0)), mode="wrap")


def across_strips(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Positions on a plate as positions on what `with_strips` makes of it. Both are 0..1 of the width."""
    share = 1 / _STRIPS
    return share + x * (1 - 2 * share)


def joined(mask: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """A mask found on what `with_strips` made, at any scale, bool (h, w), as a mask of the plate, (h, w - strips).

    None if it lies in a strip alone: the strip repeats what is in the middle.
    """
    strip = round(mask.shape[1] / _STRIPS)
    return _folded(mask, strip) if mask[:, strip:-strip].any() else None
