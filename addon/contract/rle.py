"""Masks as run lengths in COCO's format, which is small, lossless and widely supported.

Runs go down the columns (Fortran order) and alternate between 0 and 1, beginning with 0. COCO's text packs each run,
from the third on as the difference to the run before the last, into base-32 digits of six-bit ASCII
(cocodataset.org, `rleToString` of the COCO API, BSD-2-Clause; written anew here).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .boundary import MAX_PIXELS

_OFFSET = 48  # ASCII "0"
_MORE = 0x20  # another digit follows
_SIGN = 0x10  # of the last digit: the number is negative


@dataclass(frozen=True, slots=True)
class Rle:
    """A mask of height x width pixels. runs: int64 (n,), run lengths; the first run is of zeros and may be empty."""

    height: int
    width: int
    runs: NDArray[np.int64]

    @staticmethod
    def of(mask: NDArray[np.bool_]) -> Rle:
        """Encode a mask, bool (h, w)."""
        flat = mask.ravel(order="F")
        changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        edges = np.concatenate(([0], changes, [flat.size])) if flat.size else np.zeros(1, np.int64)
        runs = np.diff(edges)
        if flat.size and flat[0]:
            runs = np.concatenate(([0], runs))
        return Rle(mask.shape[0], mask.shape[1], runs.astype(np.int64))

    def mask(self) -> NDArray[np.bool_]:
        """Decode it to a mask, bool (h, w)."""
        values = np.arange(len(self.runs)) % 2 == 1
        return np.repeat(values, self.runs).reshape(self.width, self.height).T

    @property
    def area(self) -> int:
        """The number of pixels inside the mask."""
        return int(self.runs[1::2].sum())

    def to_coco(self) -> dict[str, Any]:
        """The mask in COCO's JSON format: `size` (h, w) and `counts`, the encoded text."""
        return {"size": [self.height, self.width], "counts": _pack(self.runs)}

    @staticmethod
    def from_coco(data: dict[str, Any]) -> Rle:
        """Read COCO's JSON format. Raises ValueError, KeyError or TypeError if it is invalid or of a wrong length."""
        height, width = (int(side) for side in data["size"])
        if not (height >= 0 and width >= 0 and height * width <= MAX_PIXELS):
            raise ValueError(f"{height} x {width} is no size of a mask")
        runs = _unpack(str(data["counts"]))
        if (runs < 0).any() or runs.sum() != height * width:
            raise ValueError("the runs do not fill the mask")
        return Rle(height, width, runs)


def _pack(runs: NDArray[np.int64]) -> str:
    numbers = runs.copy()
    numbers[3:] -= runs[1:-2]
    text = bytearray()
    for number in numbers.tolist():
        more = True
        while more:
            digit = number & 0x1F
            number >>= 5
            more = number != (-1 if digit & _SIGN else 0)
            text.append((digit | _MORE if more else digit) + _OFFSET)
    return text.decode("ascii")


def _unpack(text: str) -> NDArray[np.int64]:
    runs: list[int] = []
    number = shift = 0
    for code in text.encode("ascii"):
        digit = code - _OFFSET
        number |= (digit & 0x1F) << shift
        shift += 5
        if not digit & _MORE:
            if digit & _SIGN:
                number -= 1 << shift
            runs.append(number + (runs[-2] if len(runs) > 2 else 0))
            number = shift = 0
    return np.array(runs, np.int64)
