"""Tensors on their way between the computer's memory and a device, without waiting where a CUDA GPU need not."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray


def on_host(tensors: Mapping[str, torch.Tensor]) -> Callable[[], dict[str, torch.Tensor]]:
    """Start to copy tensors to the computer's memory; returns what waits for the copies and has them.

    A CUDA GPU copies while it goes on to compute, into pinned memory. What is there already is not copied, so nobody
    may write to it any more.
    """
    if not any(tensor.is_cuda for tensor in tensors.values()):
        copies = {name: tensor.cpu() for name, tensor in tensors.items()}
        return lambda: copies
    copies = {
        name: torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(tensor, non_blocking=True)
        for name, tensor in tensors.items()
    }
    copied = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]  # else who waits keeps a processor busy
    copied.record()

    def wait() -> dict[str, torch.Tensor]:
        copied.synchronize()
        return copies

    return wait


def on_device(pixels: NDArray[np.uint8], device: torch.device) -> torch.Tensor:
    """Pixels on a device; a CUDA GPU fetches them from pinned memory beside what it computes."""
    there = torch.from_numpy(pixels)
    if device.type == "cuda":
        there = there.pin_memory()
    return there.to(device, non_blocking=True)
