"""The memory of a device: limiting it, releasing it, and retrying with less if it does not suffice."""

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
    """Limit the memory that the engine takes from an NVIDIA GPU, if the user has set a limit."""
    gigabytes = float(os.environ.get(GPU_VARIABLE, 0))
    if gigabytes and device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, gigabytes * 1e9 / total))


def give_back(device: torch.device) -> None:
    """Return unused memory to the system, because torch keeps freed memory of a GPU for itself."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def fitting(work: Callable[[bool], _T], make_room: Callable[[], None]) -> _T:
    """Call `work(False)`. If memory does not suffice, make room and call `work(True)`, which needs less.

    Raises:
        EngineError: the memory does not suffice for that either.
    """
    try:
        return work(False)
    except (RuntimeError, MemoryError) as error:
        if not is_shortage(error):
            raise
    make_room()  # only here, because the exception kept the tensors of its frames alive
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
    """Whether an exception means that memory did not suffice."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(words in str(error) for words in _WORDS)
