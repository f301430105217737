"""Postshot: straight alpha in the plate's own PNG.

Postshot reconstructs nothing where alpha is 0, and takes RGB as it is, also there: so RGB stays the source's, value
for value, at its own depth. Camera data (EXIF) and colour profile go along. (Jawset Postshot's user guide, "Masking".)
"""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..footage import Reader
from ..images import to_integers
from .png import write_rgba


def file_name(reader: Reader, frame: int) -> str:
    """What the file of `frame` is called."""
    return f"{reader.stem(frame)}.png"


def describe(reader: Reader) -> str:
    """What the files hold, for the report."""
    if reader.dtype == np.float32:
        return "straight RGBA PNG, 16-bit sRGB made from scene-linear float: 0 to 1 kept, the rest clipped"
    return f"straight RGBA PNG, RGB as in the footage, {8 * reader.dtype.itemsize} bits a channel"


def write(file: BinaryIO, reader: Reader, frame: int, alpha: NDArray[np.uint8]) -> None:
    """Write `frame` with alpha, uint8 (H, W). Raises FootageError, OSError."""
    plate = reader.plate(frame)
    write_rgba(file, to_integers(plate.pixels), alpha, plate.icc, plate.exif)
