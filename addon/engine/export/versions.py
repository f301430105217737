"""Version folders: v001, v002 ... that appear whole or not at all, also when several exports run at once.

    <matte folder>/v001/                       only images, and what their target has beside them
    <matte folder>/v001.json                   the Job and the report
    <matte folder>/work/.export-<key>/         a version on its way; -2, -3 ... if the same is exported twice at once
    <matte folder>/work/.export-<key>.lock     held by the process that writes there
    <matte folder>/work/.versions.lock         held for a moment by whoever takes a folder or a number

The key says what the frames will be, so a frame that has its final name there is finished and stays. Once a version is
published, what other exports left unfinished and nobody writes to is removed: it was superseded.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import filelock

from ..disk import sync_folder, write_bytes, write_file, writing

_PREFIX = ".export-"
_VERSION = re.compile(r"v(\d{3,})(?:\.json)?")


class Partial:
    """A version on its way. Made by `claim`."""

    def __init__(self, matte_folder: Path, folder: Path, guard: filelock.BaseFileLock) -> None:
        self._matte_folder = matte_folder
        self._folder = folder
        self._guard = guard

    def has(self, name: str) -> bool:
        """Whether the file `name` is finished."""
        return (self._folder / name).exists()

    def add(self, name: str, write: Callable[[BinaryIO], None]) -> None:
        """Write one file, `name` may be in a sub-folder; from several threads, if the names differ.

        Raises OutputError that names the matte folder.
        """
        path = self._folder / name
        with writing(self._matte_folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, write)

    def publish(self, document: str) -> Path:
        """Make it the next version, with `document` as its vNNN.json. Returns its folder. Raises OutputError."""
        with writing(self._matte_folder), self._guard:
            for folder in (*(each for each in self._folder.rglob("*") if each.is_dir()), self._folder):
                sync_folder(folder)
            version = self._matte_folder / f"v{_highest(self._matte_folder) + 1:03d}"
            write_file(version.with_suffix(".json"), lambda file: write_bytes(file, document.encode()))
            self._folder.rename(version)
            sync_folder(self._matte_folder)
            _remove_abandoned(self._folder.parent)
        return version


@contextlib.contextmanager
def claim(matte_folder: Path, key: str) -> Iterator[Partial]:
    """The unfinished version of `key`, for this process alone: as an earlier run left it, or new.

    Raises OutputError if the folder can't be written to.
    """
    work = matte_folder / "work"
    with writing(matte_folder):
        work.mkdir(parents=True, exist_ok=True)
        guard = filelock.FileLock(work / ".versions.lock")
        with guard:
            folder, lock = _take(work, key)
            try:
                folder.mkdir(exist_ok=True)
                for unfinished in folder.rglob(".*.part"):
                    unfinished.unlink()
            except OSError:
                lock.release()
                raise
    try:
        yield Partial(matte_folder, folder, guard)
    finally:
        with contextlib.suppress(OSError), guard:
            _let_go(lock)
        lock.release()


def _take(work: Path, key: str) -> tuple[Path, filelock.BaseFileLock]:
    """The first folder of `key` that no process holds, and the lock on it. The guard is held."""
    for i in itertools.count(1):
        folder = work / (f"{_PREFIX}{key}" if i == 1 else f"{_PREFIX}{key}-{i}")
        lock = _try_lock(folder)
        if lock is not None:
            return folder, lock
    raise AssertionError


def _try_lock(folder: Path) -> filelock.BaseFileLock | None:
    lock = filelock.FileLock(folder.with_name(f"{folder.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return None
    return lock


def _let_go(lock: filelock.BaseFileLock) -> None:
    """Release and remove a lock; under the guard nobody can be waiting for it."""
    lock.release()
    Path(lock.lock_file).unlink(missing_ok=True)


def _remove_abandoned(work: Path) -> None:
    for folder in work.glob(f"{_PREFIX}*"):
        if folder.is_dir() and (lock := _try_lock(folder)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            _let_go(lock)


def _highest(matte_folder: Path) -> int:
    """The highest version number that a folder or a vNNN.json has; 0 if there is none."""
    found = (_VERSION.fullmatch(name) for name in os.listdir(matte_folder))  # noqa: PTH208
    return max((int(match[1]) for match in found if match), default=0)
