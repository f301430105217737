"""Writing files so that they are there whole or not at all, and saying what to do when they can't be."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import itertools
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath, PureWindowsPath
from typing import BinaryIO, TypeVar

from .errors import OutputError

MAX_PATH = 260  # characters of a whole path on Windows (Microsoft, "Maximum Path Length Limitation")

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
# Windows while another program has a file open: access denied, sharing violation, lock violation, folder not empty.
_HELD = {5, 32, 33, 145}
_PAUSES = (0.01, 0.03, 0.1, 0.2, 0.4, 0.8, 1.5)  # seconds before each further try
_WINDOWS_TOO_LONG = 206  # ERROR_FILENAME_EXCED_RANGE, which Python takes for a file that is not there
_RENAME_EXCHANGE = 2  # renameat2(2), Linux 3.15; macOS has renamex_np(2) with the same flag
_AT_FDCWD = -100
_count = itertools.count()

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


def newest_first(folder: Path) -> list[Path]:
    """The folders in `folder` by their time of change; without those that vanish while they are listed.

    Empty where `folder` itself is gone. Raises OSError for what can't be read.
    """
    changed = {}
    with contextlib.suppress(FileNotFoundError):
        for path in folder.iterdir():
            if path.is_dir():
                with contextlib.suppress(FileNotFoundError):
                    changed[path] = path.stat().st_mtime
    return sorted(changed, key=changed.__getitem__, reverse=True)


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turns an OSError into an OutputError that names `folder` and the way out."""
    try:
        yield
    except OSError as error:
        raise explained(error, folder) from error


def explained(error: OSError, where: Path | str) -> OutputError:
    """What the system says of files that are written, with the way out."""
    if error.errno in _FULL:
        message = "The disk is full."
        hint = "Free some space and run it again: what is finished is kept. Or choose another output folder."
    elif error.errno in _FORBIDDEN:
        message = f"The folder can't be written to ({error.strerror})."
        hint = "Allow writing there, or choose another output folder."
    elif error.errno == errno.ENAMETOOLONG or getattr(error, "winerror", None) == _WINDOWS_TOO_LONG:
        message = "A path or name in it is too long for this system."
        hint = "Choose an output folder with a shorter path, or give the footage or the object a shorter name."
    elif error.errno == errno.ENOENT:
        message = "What was being written has vanished: something deletes or moves it."
        hint = "See that its disk is there, and run it again. Or choose another output folder."
    else:
        message = f"Can't write here: {error.strerror or error}."
        hint = "Choose another output folder."
    return OutputError(message, where=str(where), hint=hint)


def free_space(folder: Path) -> int:
    """Bytes that are free where `folder` is or will be; 0 if nobody knows."""
    for candidate in (folder, *folder.parents):
        if candidate.exists():
            try:
                return shutil.disk_usage(candidate).free
            except OSError:
                break
    return 0


def long_paths() -> bool:
    """Whether this Windows was told to allow long paths."""
    if sys.platform != "win32":
        return True
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key:
            return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
    except OSError:
        return False


def check_length(path: PurePath, *, long: bool) -> None:
    """Raises OutputError if a file of that path could be made, but opened by no program. long: as `long_paths` says."""
    if isinstance(path, PureWindowsPath) and not long and len(str(path)) >= MAX_PATH:
        raise OutputError(
            f"A file would have a path of {len(str(path))} characters, {path.name} in {path.parent}; Windows allows "
            f"{MAX_PATH - 1}.",
            where=str(path.parent),
            hint="Choose an output folder with a shorter path.",
        )


def write_file(path: Path, write: Callable[[BinaryIO], None], *, sync: bool = True) -> None:
    """Let `write` fill a file under a temporary name, sync it to the disk, give it its name.

    Without `sync` it survives the end of this process, but not a power cut: enough for what can be made again.

    Raises:
        OSError: it can't be written; then neither it nor the temporary file is there.
    """
    # a name of its own, as others may write the same file; a short one, as the file's may be as long as names can be
    temporary = path.with_name(f".{os.getpid()}-{next(_count)}.part")
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


def exchange(one: Path, other: Path) -> bool:
    """Swap two names at once, where the system can: at every moment both are there. False where it can't."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "linux":
            failed = libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
        elif sys.platform == "darwin":
            failed = libc.renamex_np(os.fsencode(one), os.fsencode(other), _RENAME_EXCHANGE)
        else:
            return False
    except (OSError, AttributeError, TypeError):  # an older system; Windows has no libc to load so
        return False
    return not failed


def sync_folder(folder: Path) -> None:
    """See that the names in `folder` survive a power cut, where the system lets one ask for that."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
