"""Atomic writing of files: a file is complete or absent. Errors say what the user can do."""

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
# Windows error codes while another program has a file open: access denied, sharing violation, lock violation, folder
# not empty.
_HELD = {5, 32, 33, 145}
_PAUSES = (0.01, 0.03, 0.1, 0.2, 0.4, 0.8, 1.5)  # seconds before each further try
_WINDOWS_TOO_LONG = 206  # ERROR_FILENAME_EXCED_RANGE, which Python reports as FileNotFoundError
_RENAME_EXCHANGE = 2  # renameat2(2), Linux 3.15; macOS has renamex_np(2) with the same flag
_AT_FDCWD = -100
_count = itertools.count()

_T = TypeVar("_T")


def patiently(do: Callable[[], _T]) -> _T:
    """Call `do`, which replaces, renames or deletes files, and retry for some seconds if Windows says they are in use.

    A virus scanner, an indexer or a folder synchroniser opens every new file for a moment. On other systems an open
    file can be renamed and deleted.

    Raises:
        OSError: the error of the last try.
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
    """Remove a folder with its content, if it exists. Files that another program holds open are left without error."""
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
    """Turn an OSError that is raised inside into an OutputError that names `folder` and says what to do."""
    try:
        yield
    except OSError as error:
        raise explained(error, folder) from error


def explained(error: OSError, where: Path | str) -> OutputError:
    """The OutputError for an OSError that was raised while writing to `where`, with what to do about it."""
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
    """Free bytes on the disk where `folder` is or will be made; 0 if that is unknown."""
    for candidate in (folder, *folder.parents):
        if candidate.exists():
            try:
                return shutil.disk_usage(candidate).free
            except OSError:
                break
    return 0


def long_paths() -> bool:
    """Whether long paths are enabled in the settings of this Windows."""
    if sys.platform != "win32":
        return True
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key:
            return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
    except OSError:
        return False


def check_length(path: PurePath, *, long: bool) -> None:
    """Check that programs can open a file at `path`; on Windows a path may be too long for them.

    Args:
        path: the path of a file that is to be written.
        long: whether long paths are enabled, see `long_paths`.

    Raises:
        OutputError: the path is too long.
    """
    if isinstance(path, PureWindowsPath) and not long and len(str(path)) >= MAX_PATH:
        raise OutputError(
            f"A file would have a path of {len(str(path))} characters, {path.name} in {path.parent}; Windows allows "
            f"{MAX_PATH - 1}.",
            where=str(path.parent),
            hint="Choose an output folder with a shorter path.",
        )


def free_name(path: Path) -> Path:
    """The path itself, or with _2, _3, ... before its suffix: the first that is not there."""
    numbered = (path.with_name(f"{path.stem}_{number}{path.suffix}") for number in itertools.count(2))
    return next(candidate for candidate in itertools.chain([path], numbered) if not candidate.exists())


def write_file(path: Path, write: Callable[[BinaryIO], None], *, sync: bool = True) -> None:
    """Let `write` fill a file under a temporary name, sync it to the disk, then rename it to `path`.

    Without `sync` the file survives the end of this process but perhaps not a power cut. That is enough for files that
    can be made again.

    Raises:
        OSError: the file can't be written. Neither it nor the temporary file exists then.
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


def write_data(path: Path, data: bytes, *, sync: bool = True) -> None:
    """Write data that is in memory; see `write_file`. Raises OSError."""
    write_file(path, lambda file: write_bytes(file, data), sync=sync)


def write_bytes(file: BinaryIO, data: bytes) -> None:
    """Write `data` to `file`, for who is given a function that does."""
    file.write(data)


def exchange(one: Path, other: Path) -> bool:
    """Swap the names of two files or folders in one atomic step. Returns False where the system can't do that."""
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
    """Sync the names in `folder` to the disk, so that they survive a power cut, where the system supports that."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
