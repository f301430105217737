"""EXIF orientation: how a stored image is rotated and mirrored to be upright.

Blender's clip editor ignores it, but other programs don't. Coordinates in a Job are pixels of the upright image.
Standard library only; both processes import it.

Sources: EXIF 2.32 and TIFF 6.0, tag 274 "Orientation"; JPEG: ITU-T T.81 annex B; PNG (third edition) 11.3.5.5 "eXIf";
WebP container specification, chunk "EXIF". Orientation in XMP or in a PNG's text chunks is not read.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

_ORIENTATION_TAG = 0x0112
_INTEGER_TYPES = {1: "B", 3: "H", 4: "I"}  # BYTE, SHORT, LONG; SHORT is the legal one
_MAX_ENTRIES = 65_535
_MAX_OFFSET = 1 << 40  # bytes: no file is larger, and systems refuse to seek far beyond


def read_orientation(path: str | os.PathLike[str]) -> int:
    """EXIF orientation of a JPEG, PNG, TIFF, BigTIFF or WebP file. The format is recognised by content, not by name.

    Reads headers and directories only, never pixels.

    Returns:
        1 to 8 as EXIF defines them; 1 (upright) where it is absent or invalid, and for every other format.

    Raises:
        OSError: the file can't be read.
    """
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 (a str may come in; unbuffered: nothing is read ahead)
        try:
            embedded = find_exif(file)
            field = orientation_field(file, embedded[0] if embedded else 0)
            if field is None:
                return 1
            at, kind = field
            file.seek(at)
            (value,) = struct.unpack(kind, file.read(struct.calcsize(kind)))
        except struct.error:  # cut short
            return 1
    return value if 1 <= value <= 8 else 1


def oriented_size(width: int, height: int, orientation: int) -> tuple[int, int]:
    """Upright width and height, in pixels, of an image stored as width x height."""
    return (height, width) if orientation >= 5 else (width, height)


def to_oriented(x: float, y: float, width: int, height: int, orientation: int) -> tuple[float, float]:
    """Convert a position in the stored image, of width x height pixels, to the upright image.

    Both images have their origin at the top left, x to the right, y down, and pixel centres at .5.
    """
    if orientation == 2:
        return width - x, y
    if orientation == 3:
        return width - x, height - y
    if orientation == 4:
        return x, height - y
    if orientation == 5:
        return y, x
    if orientation == 6:
        return height - y, x
    if orientation == 7:
        return height - y, width - x
    if orientation == 8:
        return y, width - x
    return x, y


def to_stored(x: float, y: float, width: int, height: int, orientation: int) -> tuple[float, float]:
    """Convert a position in the upright image to the stored image, whose width and height are given."""
    # The inverse is the same rotation in the upright image, except that the two quarter turns swap.
    back = {6: 8, 8: 6}.get(orientation, orientation)
    return to_oriented(x, y, *oriented_size(width, height, orientation), back)


def orientation_field(file: BinaryIO, start: int) -> tuple[int, str] | None:
    """Find the value of IFD0's orientation in the TIFF structure that begins at byte `start` of `file`.

    Returns:
        Byte position in the file and struct format, byte order included; None if there is none.

    Raises:
        struct.error: the structure is cut short.
    """
    file.seek(start)
    order = {b"II": "<", b"MM": ">"}.get(file.read(2))
    if order is None:
        return None
    (magic,) = struct.unpack(f"{order}H", file.read(2))
    if magic == 42:
        offset, count, entry = "I", "H", "HHI"
    elif magic == 43:  # BigTIFF: 64-bit offsets and counts, after the offset's size and a zero
        offset, count, entry = "4xQ", "Q", "HHQ"
    else:
        return None
    (ifd,) = struct.unpack(order + offset, file.read(struct.calcsize(order + offset)))
    if ifd > _MAX_OFFSET:
        return None
    file.seek(start + ifd)
    (entries,) = struct.unpack(order + count, file.read(struct.calcsize(order + count)))
    before_value = struct.calcsize(order + entry)
    stride = before_value + (8 if magic == 43 else 4)
    first = start + ifd + struct.calcsize(order + count)
    directory = file.read(min(entries, _MAX_ENTRIES) * stride)
    for at in range(0, len(directory) - stride + 1, stride):
        tag, kind, values = struct.unpack_from(order + entry, directory, at)
        if tag == _ORIENTATION_TAG:
            if kind not in _INTEGER_TYPES or values != 1:
                return None
            return first + at + before_value, order + _INTEGER_TYPES[kind]
    return None


def find_exif(file: BinaryIO) -> tuple[int, int] | None:
    """Position and size, in bytes, of the EXIF data (a TIFF structure) inside a JPEG, PNG or WebP file.

    None if there is no EXIF data, and for every other format, TIFF included.

    Raises:
        struct.error: the file is cut short.
    """
    file.seek(0)
    head = file.read(12)
    if head.startswith(b"\xff\xd8"):
        return _in_jpeg(file)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return _in_png(file)
    if head[:4] == b"RIFF" and head[8:] == b"WEBP":
        return _in_webp(file)
    return None


def _in_jpeg(file: BinaryIO) -> tuple[int, int] | None:
    at = 2
    while True:
        file.seek(at)
        marker, size = struct.unpack(">HH", file.read(4))
        if marker == 0xFFFF:  # a fill byte before the marker
            at += 1
            continue
        if marker < 0xFF02 or marker in (0xFFD9, 0xFFDA):  # not a marker; end of image; start of scan: no header after
            return None
        if marker == 0xFFE1 and file.read(6) == b"Exif\0\0":
            return at + 10, size - 8
        at += 2 + size


def _in_png(file: BinaryIO) -> tuple[int, int] | None:
    at = 8
    while True:  # up to the end: some programs append eXIf after the pixels
        file.seek(at)
        size, kind = struct.unpack(">I4s", file.read(8))
        if kind == b"eXIf":
            return at + 8, size
        if kind == b"IEND":
            return None
        at += 12 + size


def _in_webp(file: BinaryIO) -> tuple[int, int] | None:
    at = 12
    while True:
        file.seek(at)
        kind, size = struct.unpack("<4sI", file.read(8))
        if kind == b"EXIF":
            prefix = 6 * (file.read(6) == b"Exif\0\0")  # against the specification, but common
            return at + 8 + prefix, size - prefix
        at += 8 + size + size % 2
