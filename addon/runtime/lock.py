"""Locks between processes: one process at a time works on a folder or file."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from .watch import Watch

_USERS = "users"  # a folder in a runtime with a locked file for each process that runs from it


@contextlib.contextmanager
def only_one(lock: Path, what: str, watch: Watch) -> Iterator[None]:
    """Hold the lock file `lock`; wait while another process holds it. The system releases it when the process ends.

    Args:
        lock: path of the lock file.
        what: what the other process is doing, for the message while waiting.
        watch: told of the waiting, and asked whether to stop.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    handle = _open(lock)
    try:
        if not try_lock(handle):
            watch.note(f"Waiting for another process to finish {what} ...")
            while not try_lock(handle):
                watch.check()
                time.sleep(0.2)
        yield
    finally:
        os.close(handle)


def use(runtime: Path) -> None:
    """Protect `runtime` from being removed as unused until this process ends in any way.

    Raises:
        OSError: the folder is not writable, so nobody can remove it either.
    """
    users = runtime / _USERS
    users.mkdir(exist_ok=True)
    for number in itertools.count():
        handle = _open(users / str(number))
        if try_lock(handle):
            return  # the system closes it, and frees it so
        os.close(handle)


def is_used(runtime: Path) -> bool:
    """Whether a process runs from `runtime`; also true if that can't be found out."""
    for file in (runtime / _USERS).glob("*"):
        try:
            handle = _open(file)
        except OSError:
            return True
        try:
            if not try_lock(handle):
                return True
        finally:
            os.close(handle)
    return False


def _open(lock: Path) -> int:
    return os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)


if sys.platform == "win32":
    import msvcrt

    def try_lock(handle: int) -> bool:
        """Lock the byte at the handle's place; False if another has it, or the disk knows no locks."""
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def try_lock(handle: int) -> bool:
        """Lock the file; False if another has it, or the disk knows no locks."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
