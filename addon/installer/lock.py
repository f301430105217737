"""One process at a time for a folder or a file."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from .watch import Watch


@contextlib.contextmanager
def only_one(lock: Path, what: str, watch: Watch) -> Iterator[None]:
    """Hold the lock file `lock`, waiting for another process that holds it. The system frees it if we die."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _try(handle):
            watch.note(f"Waiting for another process to finish {what} ...")
            while not _try(handle):
                watch.check()
                time.sleep(0.2)
        yield
    finally:
        os.close(handle)


if sys.platform == "win32":
    import msvcrt

    def _try(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
