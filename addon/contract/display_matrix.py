"""The orientation in a movie's header, as phones write it: the display matrix of MP4 and MOV, the roll of Matroska.

Blender rotates such movies since 4.4 (measured: 4.2 does not; 4.4.0, 4.5.15 and 5.0.1 do). A Job is always upright.
Standard library only; no pixels are read.

Sources: ISO/IEC 14496-12 (ISO base media file format), 4.2 "Object structure", 8.3.2 "Track header box", 8.4.3
"Handler reference box"; RFC 8794 (EBML), section 4 and 5; RFC 9559 (Matroska), TrackEntry, ProjectionPoseRoll.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT, _TRACKS, _TRACK, _TRACK_TYPE = 0x18538067, 0x1654AE6B, 0xAE, 0x83
_VIDEO, _PROJECTION, _ROLL = 0xE0, 0x7670, 0x7675
_IS_VIDEO = b"\x01"
_ROLLS = {90: 8, 180: 3, 270: 6}  # degrees, and the EXIF orientation of the same rotation
_MAX_BOXES = 10_000  # boxes inside one box; no camera writes as many
# signs of a, b, c, d of the matrix, and the EXIF orientation of the same rotation
_ORIENTATIONS = {(1, 0, 0, 1): 1, (0, 1, -1, 0): 6, (-1, 0, 0, -1): 3, (0, -1, 1, 0): 8}


def read_movie_orientation(path: str | os.PathLike[str]) -> int:
    """The orientation of a movie's first video track, as an EXIF orientation.

    Returns:
        1, 3, 6 or 8. Also 1 (upright) for formats other than MP4, MOV, MKV and WebM, for files that are cut short, and
        for mirrored tracks.

    Raises:
        OSError: the file can't be read.
    """
    with open(path, "rb") as file:  # noqa: PTH123 (a str may come in)
        end = os.fstat(file.fileno()).st_size
        try:
            if file.read(4) == _EBML:
                return _matroska(file, end)
            for start, stop in _boxes(file, 0, end, b"moov"):
                for track, track_stop in _boxes(file, start, stop, b"trak"):
                    if _is_video(file, track, track_stop):
                        return _orientation(file, track, track_stop)
        except struct.error:  # cut short
            pass
    return 1


def _matroska(file: BinaryIO, end: int) -> int:
    """The orientation of the first video track of a Matroska file. Raises struct.error."""
    for segment, segment_stop in _elements(file, 0, end, _SEGMENT):
        for tracks, tracks_stop in _elements(file, segment, segment_stop, _TRACKS):
            for track, stop in _elements(file, tracks, tracks_stop, _TRACK):
                for at, _ in _elements(file, track, stop, _TRACK_TYPE):
                    file.seek(at)
                    if file.read(1) == _IS_VIDEO:
                        return _ROLLS.get(round(_roll(file, track, stop)) % 360, 1)
    return 1


def _roll(file: BinaryIO, start: int, stop: int) -> float:
    """The roll of a track in degrees, counterclockwise. Raises struct.error."""
    for video, video_stop in _elements(file, start, stop, _VIDEO):
        for projection, projection_stop in _elements(file, video, video_stop, _PROJECTION):
            for at, end in _elements(file, projection, projection_stop, _ROLL):
                file.seek(at)
                (roll,) = struct.unpack(">d" if end - at == 8 else ">f", file.read(8 if end - at == 8 else 4))
                return float(roll) if math.isfinite(roll) else 0.0
    return 0.0


def _elements(file: BinaryIO, start: int, stop: int, wanted: int) -> Iterator[tuple[int, int]]:
    """Start and end of the content of every EBML element `wanted` between two positions. Raises struct.error."""
    for _ in range(_MAX_BOXES):
        if start >= stop:
            return
        file.seek(start)
        kind, _ = _number(file)
        marked, length = _number(file)
        size = marked - (1 << 7 * length)
        inside = file.tell()
        if size == (1 << 7 * length) - 1:  # unknown: up to the end
            size = stop - inside
        if kind == wanted:
            yield inside, min(inside + size, stop)
        start = inside + size


def _number(file: BinaryIO) -> tuple[int, int]:
    """An EBML variable-size integer, marker included, and its length in bytes. Raises struct.error."""
    (first,) = struct.unpack("B", file.read(1))
    length = 9 - first.bit_length()
    rest = file.read(length - 1)
    if not first or len(rest) < length - 1:
        raise struct.error("no number")
    return int.from_bytes(bytes([first]) + rest, "big"), length


def _boxes(file: BinaryIO, start: int, stop: int, wanted: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of the content of every box `wanted` between two positions. Raises struct.error."""
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
        return _ORIENTATIONS.get(tuple((value > 0) - (value < 0) for value in (a, b, c, d)), 1)
    return 1
