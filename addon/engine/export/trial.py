"""What an export needs, tried before anything is tracked: rights, names, paths, the format itself, and room for it all.

One frame is written as all will be, with the same code at the same depth of folders, and taken away again. So whatever
a disk, a system or an encoder can't do is told after a moment, not after hours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ...contract.disk import check_length, free_space, long_paths
from ...contract.errors import OutputError
from ...contract.layout import version_folder
from ...runtime.watch import megabytes
from .malloc import giving_back
from .versions import Partial, claim, unfinished_size
from .writer import BaseWriter, MatteOf

_KEY = f"{'trial':0<20}"  # as long as those of exports
_SURELY = 0.5  # of what all frames need if they are like the first: with less, they don't fit


def try_out(writer: BaseWriter, warn: Callable[[str], None]) -> None:
    """See that the Job's version can be written.

    warn: told in words if the room may not be enough.

    Raises:
        OutputError: the folder can't be written to, a path gets too long, the disk is too small.
        JobError: the target can't hold the footage.
        FootageError: the first frame can't be read.
    """
    job = writer.job

    def whole(frame: int, name: str | None) -> NDArray[np.uint8]:
        return np.full((job.footage.height, job.footage.width), 255, np.uint8)

    with claim(job.matte_folder, _KEY) as partial, giving_back():
        try:
            longest = max(_names(writer, whole), key=len, default="name")
            check_length(version_folder(job.matte_folder, 1) / longest, long=long_paths())
            partial.add(longest, lambda file: None)
            if job.search is not None:  # what it will write is found first
                return
            with ThreadPoolExecutor(1) as pool:  # which takes the frame along that its thread keeps
                size = pool.submit(_write_first, writer, whole, partial).result()
        finally:
            partial.discard()
        _check_room(writer, size, warn)


def _names(writer: BaseWriter, matte: MatteOf) -> Iterator[str]:
    for frame in range(1, writer.job.footage.frame_count + 1):
        yield from writer.frame_files(frame, matte)


def _write_first(writer: BaseWriter, matte: MatteOf, partial: Partial) -> int:
    """Bytes of the first frame's files."""
    first = _frames(writer)[:1]
    before = partial.size()
    files = dict(writer.frame_files(first[0], matte))
    if writer.rules.one_file:
        files.update(writer.other_files(first, matte, lambda frame: None))
    for name, write in files.items():
        partial.add(name, write)
    return partial.size() - before


def _frames(writer: BaseWriter) -> range:
    """Those to write, as far as that is known now."""
    job = writer.job
    whole = range(1, job.footage.frame_count + 1)
    first, last = job.delivery.frame_range or (whole[0], whole[-1])
    frames = whole if writer.rules.every_frame else job.wanted
    return range(max(first, frames[0]), min(last, frames[-1]) + 1) or whole[:1]


def _check_room(writer: BaseWriter, size: int, warn: Callable[[str], None]) -> None:
    job = writer.job
    if job.delivery.scope != "all":  # of many there may be few to write
        return
    needed = size * len(_frames(writer))
    free = free_space(job.matte_folder)
    if not free:  # nobody knows: the first frame could be written
        return
    free += unfinished_size(job.matte_folder)
    if free >= needed:
        return
    words = f"About {megabytes(needed)} are needed for {len(_frames(writer))} frames, {megabytes(free)} are free"
    if free < needed * _SURELY:
        raise OutputError(
            f"{words}.",
            where=str(job.matte_folder),
            hint="Free some space, or choose another output folder or fewer frames.",
        )
    warn(f"{words} in {job.matte_folder}. If the disk gets full, what is finished is kept.")
