"""The memory of a device: how much of it the engine may take, giving it back, and what to do where it is too little."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from typing import TypeVar

import torch

from ...contract.errors import EngineError
from ...runtime.locate import GPU_VARIABLE

# torch has a class of errors for CUDA's own allocator; cuBLAS, cuDNN, Metal and the CPU are known by their words only.
_WORDS = ("out of memory", "not enough memory", "can't allocate memory", "ALLOC_FAILED")

_T = TypeVar("_T")


def limit(device: torch.device) -> None:
    """Leave the rest of an NVIDIA GPU's memory to others, where the person said how much may be taken."""
    gigabytes = float(os.environ.get(GPU_VARIABLE, 0))
    if gigabytes and device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, gigabytes * 1e9 / total))


def give_back(device: torch.device) -> None:
    """Let the system have what nothing refers to any more: torch keeps freed memory of a GPU for itself."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def fitting(work: Callable[[bool], _T], make_room: Callable[[], None]) -> _T:
    """`work(False)`; where memory does not suffice, room is made and `work(True)` does with less.

    Raises:
        EngineError: that does not suffice either.
    """
    try:
        return work(False)
    except (RuntimeError, MemoryError) as error:
        if not is_shortage(error):
            raise
    make_room()  # not before here: the error held on to what it had failed in
    try:
        return work(True)
    except (RuntimeError, MemoryError) as error:
        if not is_shortage(error):
            raise
        raise EngineError(
            "There is not enough memory, on the GPU or in the computer.",
            hint="Close other programs that use it, choose a smaller checkpoint, or set the device to CPU.",
        ) from None


def is_shortage(error: Exception) -> bool:
    """Whether memory did not suffice."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(words in str(error) for words in _WORDS)
