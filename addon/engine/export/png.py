"""A fast and deterministic PNG writer for RGBA with straight alpha, RGB and grey, 8 and 16 bit.

Portable Network Graphics (PNG) Specification, third edition, W3C: 5.3 chunk layout, 7.2 filtering, 9.2 filter type 2
"Up", 10 zlib stream in consecutive IDAT chunks, 11.2.1 IHDR, 11.3.2.3 iCCP, 11.3.2.6 cICP, 11.3.3.4 iTXt,
11.3.5.5 eXIf. Colour type 0 is grey, 2 is RGB, 6 is RGB with straight alpha; 16-bit samples are
big-endian.

Rows are filtered with numpy and compressed by ISA-L (igzip) at level 1, a band at a time; extra memory is a few bands.
Grain and edges rarely repeat far away, so a window of 512 bytes is faster than the largest one and gives smaller files
for photos (docs/benchmarks).
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO

import cv2
import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

_BAND_BYTES = 4 * 1024 * 1024
_WINDOW_BITS = 9
_UP = 2
_GREY = 0
_RGB = 2
_RGBA = 6


def write_rgba(
    file: BinaryIO,
    rgb: NDArray[np.uint8] | NDArray[np.uint16],
    alpha: NDArray[np.uint8] | NDArray[np.uint16],
    icc: bytes | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    cicp: tuple[int, int] | None = None,
) -> None:
    """Write one PNG image with straight alpha.

    Args:
        file: open for writing.
        rgb: (H, W, 3), uint8 or uint16; its depth is the file's.
        alpha: (H, W), of the dtype of `rgb`; or uint8 with a 16-bit `rgb`, in which 255 becomes 65535.
        icc: RGB colour profile.
        exif: EXIF data as a TIFF structure, without the `Exif` prefix that JPEG has.
        xmp: XMP packet, UTF-8.
        cicp: primaries and transfer function by ISO/IEC 23091-2.

    Raises:
        OSError: the file can't be written.
    """

    def fill(rows: slice, band: NDArray[Any]) -> None:
        cv2.cvtColor(rgb[rows], cv2.COLOR_RGB2RGBA, band)
        band[..., 3] = alpha[rows]
        if rgb.dtype != alpha.dtype:
            band[..., 3] *= 257

    _write(file, rgb.shape[:2], _RGBA, 4, rgb.dtype, fill, icc, exif, xmp, cicp)


def write_rgb(
    file: BinaryIO,
    rgb: NDArray[np.uint8] | NDArray[np.uint16],
    icc: bytes | None = None,
    cicp: tuple[int, int] | None = None,
) -> None:
    """Write one PNG image without alpha; arguments as those of `write_rgba`. Raises OSError."""

    def fill(rows: slice, band: NDArray[Any]) -> None:
        band[...] = rgb[rows]

    _write(file, rgb.shape[:2], _RGB, 3, rgb.dtype, fill, icc, cicp=cicp)


def write_grey(file: BinaryIO, grey: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    """Write one PNG image of a single channel, uint8 or uint16 (H, W). Raises OSError."""

    def fill(rows: slice, band: NDArray[Any]) -> None:
        band[..., 0] = grey[rows]

    _write(file, grey.shape, _GREY, 1, grey.dtype, fill)


def _write(
    file: BinaryIO,
    size: tuple[int, ...],
    colour_type: int,
    channels: int,
    dtype: np.dtype[Any],
    fill: Callable[[slice, NDArray[Any]], None],
    icc: bytes | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    cicp: tuple[int, int] | None = None,
) -> None:
    """Write a PNG image. `fill` copies rows of the image into (rows, width, channels) samples in native byte order."""
    height, width = size
    file.write(b"\x89PNG\r\n\x1a\n")
    _chunk(file, b"IHDR", struct.pack(">IIBBBBB", width, height, 8 * dtype.itemsize, colour_type, 0, 0, 0))
    if cicp is not None:
        _chunk(file, b"cICP", bytes((*cicp, 0, 1)))  # RGB, full range
    if icc is not None:
        _chunk(file, b"iCCP", b"ICC profile\0\0" + zlib.compress(icc))
    if exif is not None:
        _chunk(file, b"eXIf", exif)
    if xmp is not None:
        _chunk(file, b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)
    stride = channels * dtype.itemsize * width
    rows = max(1, _BAND_BYTES // stride)
    band = np.empty((min(rows, height) + 1, width, channels), dtype)  # row 0 is the row above the band
    band[0] = 0
    filtered = np.empty((len(band) - 1, 1 + stride), np.uint8)
    filtered[:, 0] = _UP
    deflate = isal_zlib.compressobj(1, isal_zlib.DEFLATED, _WINDOW_BITS)
    for top in range(0, height, rows):
        count = min(rows, height - top)
        fill(slice(top, top + count), band[1 : count + 1])
        if dtype.itemsize > 1 and sys.byteorder == "little":
            band[1 : count + 1].byteswap(inplace=True)
        samples: NDArray[np.uint8] = band.view(np.uint8).reshape(len(band), stride)
        np.subtract(samples[1 : count + 1], samples[:count], out=filtered[:count, 1:])
        _chunk(file, b"IDAT", deflate.compress(filtered[:count]))
        band[0] = band[count]
    _chunk(file, b"IDAT", deflate.flush())
    _chunk(file, b"IEND", b"")


def _chunk(file: BinaryIO, kind: bytes, data: Any) -> None:
    """Write one chunk, unless it is an empty IDAT."""
    if kind == b"IDAT" and not data:
        return
    file.write(struct.pack(">I", len(data)) + kind)
    file.write(data)
    file.write(struct.pack(">I", isal_zlib.crc32(data, zlib.crc32(kind))))
