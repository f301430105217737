"""Try an export before anything is tracked: permissions, names, paths, the file format and free space.

One frame is written with the export's own code at the same depth of folders, and removed again. Whatever the disk, the
system or an encoder can't do is therefore reported after a moment, not after hours of tracking.
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
_SURELY = 0.5  # share of the estimated size: with less free space than that, the frames can't fit


def try_out(writer: BaseWriter, warn: Callable[[str], None]) -> None:
    """Check that the Job's version can be written.

    warn: called with a message if the free space may not suffice.

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
            if job.search is not None:  # its objects are not found yet
                return
            with ThreadPoolExecutor(1) as pool:  # when it ends, the frame that it caches is freed
                size = pool.submit(_write_first, writer, whole, partial).result()
        finally:
            partial.discard()
        _check_room(writer, size, warn)


def _names(writer: BaseWriter, matte: MatteOf) -> Iterator[str]:
    for frame in range(1, writer.job.footage.frame_count + 1):
        yield from writer.frame_files(frame, matte)


def _write_first(writer: BaseWriter, matte: MatteOf, partial: Partial) -> int:
    """Write the first frame's files. Returns their size in bytes."""
    first = _frames(writer)[:1]
    before = partial.size()
    files = dict(writer.frame_files(first[0], matte))
    if writer.rules.one_file:
        files.update(writer.other_files(first, matte, lambda frame: None))
    for name, write in files.items():
        partial.add(name, write)
    return partial.size() - before


def _frames(writer: BaseWriter) -> range:
    """The clip frames to write, as far as they are known now."""
    job = writer.job
    whole = range(1, job.footage.frame_count + 1)
    first, last = job.delivery.frame_range or (whole[0], whole[-1])
    frames = whole if writer.rules.every_frame else job.wanted
    return range(max(first, frames[0]), min(last, frames[-1]) + 1) or whole[:1]


def _check_room(writer: BaseWriter, size: int, warn: Callable[[str], None]) -> None:
    job = writer.job
    if job.delivery.scope != "all":  # only few of the frames may have to be written
        return
    needed = size * len(_frames(writer))
    free = free_space(job.matte_folder)
    if not free:  # unknown
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
