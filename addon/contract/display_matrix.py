"""How a movie is turned in its header, as phones do it: the display matrix of MP4 and MOV files.

Blender turns such movies since 4.4 (measured: 4.2 does not, 4.4.0, 4.5.15 and 5.0.1 do); a Job is upright in all.
Standard library only; no pixels are read.

Source: ISO/IEC 14496-12 (ISO base media file format), 4.2 "Object structure", 8.3.2 "Track header box", 8.4.3 "Handler
reference box".
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

_MAX_BOXES = 10_000  # in one box, or one after the other: no camera writes as many
# signs of a, b, c, d of the matrix, as the EXIF orientation that turns alike
_ORIENTATIONS = {(1, 0, 0, 1): 1, (0, 1, -1, 0): 6, (-1, 0, 0, -1): 3, (0, -1, 1, 0): 8}


def read_movie_orientation(path: str | os.PathLike[str]) -> int:
    """How the first track of pictures is to be turned, as an EXIF orientation.

    Returns:
        1, 3, 6 or 8; 1 too for what is no MP4 or MOV file, is cut short, or is mirrored.

    Raises:
        OSError: the file can't be read.
    """
    with open(path, "rb") as file:  # noqa: PTH123 (a str may come in)
        end = os.fstat(file.fileno()).st_size
        try:
            for start, stop in _boxes(file, 0, end, b"moov"):
                for track, track_stop in _boxes(file, start, stop, b"trak"):
                    if _is_video(file, track, track_stop):
                        return _orientation(file, track, track_stop)
        except struct.error:  # cut short
            pass
    return 1


def _boxes(file: BinaryIO, start: int, stop: int, wanted: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of what is inside, of the boxes of a kind between two places. Raises struct.error."""
    for _ in range(_MAX_BOXES):
        if stop - start < 8:
            return
        file.seek(start)
        size, kind = struct.unpack(">I4s", file.read(8))
        inside = start + 8
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8))
            inside += 8
        elif size == 0:  # up to the end
            size = stop - start
        if size < inside - start:
            return
        if kind == wanted:
            yield inside, min(start + size, stop)
        start += size


def _is_video(file: BinaryIO, start: int, stop: int) -> bool:
    for media, media_stop in _boxes(file, start, stop, b"mdia"):
        for handler, _ in _boxes(file, media, media_stop, b"hdlr"):
            file.seek(handler + 8)
            return file.read(4) == b"vide"
    return False


def _orientation(file: BinaryIO, start: int, stop: int) -> int:
    for header, _ in _boxes(file, start, stop, b"tkhd"):
        file.seek(header)
        (version,) = struct.unpack("B", file.read(1))
        file.seek(header + (52 if version == 1 else 40))  # times and duration are of 64 bits in version 1
        a, b, _, c, d = struct.unpack(">5i", file.read(20))
        return _ORIENTATIONS.get(tuple((each > 0) - (each < 0) for each in (a, b, c, d)), 1)
    return 1
