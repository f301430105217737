"""Large blocks of memory go back to the system as soon as they are free.

glibc keeps freed blocks of up to 32 MB for later, once it has seen one as large (mallopt(3), M_MMAP_THRESHOLD, which is
dynamic unless it is set). That suits a model, whose blocks are the same on every frame. Of threads that write photos it
leaves holes that nothing fits, and memory creeps up, by 1 MB a photo of 54 megapixels. Nothing is done on systems with
another allocator.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator

_M_MMAP_THRESHOLD = -3  # malloc.h
_LARGE = 1 << 20  # bytes
_KEPT = 32 << 20  # bytes: the most that glibc sets by itself


@contextlib.contextmanager
def giving_back() -> Iterator[None]:
    """Meanwhile, in all threads, blocks of 1 MB and more are given back at once; afterwards, those above 32 MB."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        yield
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGE)
    try:
        yield
    finally:
        mallopt(_M_MMAP_THRESHOLD, _KEPT)
