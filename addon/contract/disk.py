"""Writing files so that they are there whole or not at all, and saying what to do when they can't be."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

from .errors import OutputError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
# Windows while another program has a file open: access denied, sharing violation, lock violation, folder not empty.
_HELD = {5, 32, 33, 145}
_PAUSES = (0.01, 0.03, 0.1, 0.2, 0.4, 0.8, 1.5)  # seconds before each further try

_T = TypeVar("_T")


def patiently(do: Callable[[], _T]) -> _T:
    """`do()`, which replaces, renames or deletes; tried again for some seconds where Windows says that it is held.

    A virus scanner, an indexer or a synchronised folder opens each new file for a moment. Other systems don't mind.

    Raises:
        OSError: of the last try.
    """
    for pause in _PAUSES:
        try:
            return do()
        except OSError as error:
            if getattr(error, "winerror", None) not in _HELD:
                raise
        time.sleep(pause)
    return do()


def discard(folder: Path) -> None:
    """Remove a folder and all that is in it, if it is there; what stays held stays, and is no error."""
    with contextlib.suppress(OSError):
        patiently(lambda: shutil.rmtree(folder))
    shutil.rmtree(folder, ignore_errors=True)  # the other one ended at the first file that it could not delete


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
        with patiently(lambda: temporary.open("wb")) as file:
            write(file)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        patiently(lambda: temporary.replace(path))
    except BaseException:
        with contextlib.suppress(OSError):
            patiently(temporary.unlink)
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
