"""Writing files so that they are there whole or not at all, and saying what to do when they can't be."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from .errors import OutputError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turns an OSError into an OutputError that names `folder` and the way out."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            message = "The disk is full."
            hint = "Free some space and run it again: what is finished is kept. Or choose another output folder."
        elif error.errno in _FORBIDDEN:
            message = f"The folder can't be written to ({error.strerror})."
            hint = "Allow writing there, or choose another output folder."
        else:
            message = f"Can't write here: {error.strerror or error}."
            hint = "Choose another output folder."
        raise OutputError(message, where=str(folder), hint=hint) from error


def write_file(path: Path, write: Callable[[BinaryIO], None], *, sync: bool = True) -> None:
    """Let `write` fill a file under a temporary name, sync it to the disk, give it its name.

    Without `sync` it survives the end of this process, but not a power cut: enough for what can be made again.

    Raises:
        OSError: it can't be written; then neither it nor the temporary file is there.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("wb") as file:
            write(file)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def write_bytes(file: BinaryIO, data: bytes) -> None:
    """For `write_file`, of data that is there already."""
    file.write(data)


def sync_folder(folder: Path) -> None:
    """See that the names in `folder` survive a power cut, where the system lets one ask for that."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
