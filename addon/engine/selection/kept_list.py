"""The list of kept frames as a text file: one image name per line, like COLMAP's image lists.

A line may also be the number of a clip frame. Empty lines and text after a # are ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...contract.boundary import bounded_text, reading
from ...contract.errors import JobError
from ...contract.job_types import Footage
from ..footage.footage import Reader
from ..footage.frame_names import FrameNames

_MAX_BYTES = 100_000_000
_HINT = "Give a text file with one image name per line, as `engine select` writes it."


def kept_list(reader: Reader, frames: Sequence[int]) -> bytes:
    """Return the names of frames as text, one per line."""
    return "".join(f"{reader.file_name(frame)}\n" for frame in frames).encode()


def read_kept(path: Path, footage: Footage) -> tuple[int, ...]:
    """Read the clip frames in a list, ascending. Raises JobError if it can't be read, or names images not in the
    footage.
    """
    with reading(JobError, "This list can't be read", where=str(path), hint=_HINT):
        lines = [line.partition("#")[0].strip() for line in bounded_text(path, _MAX_BYTES).splitlines()]
    names = FrameNames(Reader(footage), footage.frame_count)
    frames = set()
    for line in filter(None, lines):
        frame = names.find(line)
        if frame is None and line.isdecimal() and 1 <= int(line[:9]) <= footage.frame_count:
            frame = int(line)
        if frame is None:
            raise JobError(f"{line} is not an image of this footage.", where=str(path), hint=_HINT)
        frames.add(frame)
    if not frames:
        raise JobError("It names no image.", where=str(path), hint=_HINT)
    return tuple(sorted(frames))
