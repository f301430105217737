"""Return large blocks of memory to the system as soon as they are freed.

After a block of up to 32 MB has been freed, glibc keeps blocks of that size for reuse (mallopt(3), M_MMAP_THRESHOLD,
which is dynamic unless it is set). That suits a model, which needs the same blocks on every frame. In threads that
write photos it leaves holes that no later block fits, and memory grows by 1 MB per photo of 54 megapixels. On systems
with another allocator nothing is done.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator

_M_MMAP_THRESHOLD = -3  # malloc.h
_LARGE = 1 << 20  # bytes
_KEPT = 32 << 20  # bytes: the highest threshold that glibc sets by itself


@contextlib.contextmanager
def giving_back() -> Iterator[None]:
    """Inside, all threads return freed blocks of 1 MB and more to the system; afterwards, blocks above 32 MB."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        yield
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGE)
    try:
        yield
    finally:
        mallopt(_M_MMAP_THRESHOLD, _KEPT)
