"""A TIFF writer for RGBA with straight alpha, 8 and 16 bit, that keeps all of the source's EXIF data.

TIFF revision 6.0 (Aldus, 1992): 2 structure, 14 differencing predictor, 18 ExtraSamples 2 "unassociated alpha"; Deflate
is Adobe's compression 8; tag 34675 is the ICC profile (ICC.1, annex B.4).

EXIF data is itself a TIFF structure. It becomes the beginning of the file without any change, so every offset in it
stays valid, including those in maker notes. A new first directory at the end holds its entries and the image's.
"""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

_STRIP_BYTES = 4 * 1024 * 1024
_ENTRY = 12  # bytes: tag, type, count, value or offset
_SHORT, _LONG, _UNDEFINED = 3, 4, 7
_SIZES = {_SHORT: 2, _LONG: 4, _UNDEFINED: 1}
# tags that describe the storage of the source's own pixels, and its thumbnail
_OF_PIXELS = {256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325, 330, 338, 339}
_OF_PIXELS |= {274, 513, 514, 529, 530, 531, 532, 34675}


def write_rgba(
    file: BinaryIO,
    rgb: NDArray[np.uint8] | NDArray[np.uint16],
    alpha: NDArray[np.uint8] | NDArray[np.uint16],
    icc: bytes | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    cicp: tuple[int, int] | None = None,
) -> None:
    """Write one TIFF image with straight alpha; the arguments are those of png.write_rgba. Raises OSError."""
    head, entries = _structure(exif)
    order = ">" if head[:2] == b"MM" else "<"
    height, width = rgb.shape[:2]
    file.write(head)
    at = len(head)
    rows = min(height, max(1, _STRIP_BYTES // (4 * width * rgb.itemsize)))
    places, sizes = [], []
    for top in range(0, height, rows):
        strip = _strip(rgb[top : top + rows], alpha[top : top + rows], order)
        places.append(at)
        sizes.append(len(strip))
        file.write(strip)
        at += len(strip)
    own: dict[int, tuple[int, Any]] = {
        256: (_LONG, [width]),
        257: (_LONG, [height]),
        258: (_SHORT, [8 * rgb.itemsize] * 4),
        259: (_SHORT, [8]),  # Deflate
        262: (_SHORT, [2]),  # RGB
        273: (_LONG, places),
        274: (_SHORT, [1]),  # upright
        277: (_SHORT, [4]),
        278: (_LONG, [rows]),
        279: (_LONG, sizes),
        284: (_SHORT, [1]),  # the samples of a pixel are stored together
        317: (_SHORT, [2]),  # horizontal differences
        338: (_SHORT, [2]),  # the fourth is unassociated alpha
    }
    if icc is not None:
        own[34675] = (_UNDEFINED, icc)
    if xmp is not None:
        own[700] = (_UNDEFINED, xmp)
    for tag, (kind, values) in own.items():
        data = bytes(values) if kind == _UNDEFINED else struct.pack(f"{order}{len(values)}{' HI'[kind - 2]}", *values)
        if len(data) > 4:
            file.write(b"\0" * (at % 2) + data)
            at += at % 2
            place = struct.pack(f"{order}I", at)
            at += len(data)
        else:
            place = data.ljust(4, b"\0")
        entries[tag] = struct.pack(f"{order}HHI", tag, kind, len(data) // _SIZES[kind]) + place
    if at + 6 + _ENTRY * len(entries) >= 1 << 32:
        raise OSError(f"The image is larger than a TIFF file can be, {at / 1e9:.1f} GB")
    file.write(b"\0" * (at % 2) + struct.pack(f"{order}H", len(entries)))
    file.write(b"".join(entries[tag] for tag in sorted(entries)) + bytes(4))
    file.seek(4)
    file.write(struct.pack(f"{order}I", at + at % 2))


def _structure(exif: bytes | None) -> tuple[bytes, dict[int, bytes]]:
    """The beginning of the file, and the entries of its first directory by tag."""
    if exif is None or len(exif) < 8 or exif[:4] not in (b"II*\0", b"MM\0*"):
        return b"II*\0" + bytes(4), {}
    order = ">" if exif[:2] == b"MM" else "<"
    (start,) = struct.unpack_from(f"{order}I", exif, 4)
    entries = {}
    if start + 2 <= len(exif):
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for at in range(start + 2, min(start + 2 + _ENTRY * count, len(exif) - _ENTRY + 1), _ENTRY):
            (tag,) = struct.unpack_from(f"{order}H", exif, at)
            if tag not in _OF_PIXELS:
                entries[tag] = exif[at : at + _ENTRY]
    return exif + bytes(len(exif) % 2), entries


def _strip(rgb: NDArray[Any], alpha: NDArray[Any], order: str) -> bytes:
    """Rows of the image as they are stored in the file."""
    samples = np.empty((*rgb.shape[:2], 4), rgb.dtype)
    samples[..., :3] = rgb
    samples[..., 3] = alpha
    if rgb.dtype != alpha.dtype:
        samples[..., 3] *= 257
    differences = samples.copy()
    differences[:, 1:] -= samples[:, :-1]
    data: bytes = isal_zlib.compress(differences.astype(differences.dtype.newbyteorder(order), copy=False), 1)
    return data
