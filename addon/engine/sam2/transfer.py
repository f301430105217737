"""Transfers tensors between the computer's memory and a device, without waiting where a CUDA GPU need not."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray


def on_host(tensors: Mapping[str, torch.Tensor]) -> Callable[[], dict[str, torch.Tensor]]:
    """Start copying tensors to the computer's memory; return a function that waits for the copies and returns them.

    A CUDA GPU copies into pinned memory while it computes on. Tensors that are there already are not copied, so they
    must not be written to any more.
    """
    if not any(tensor.is_cuda for tensor in tensors.values()):
        copies = {name: tensor.cpu() for name, tensor in tensors.items()}
        return lambda: copies
    copies = {
        name: torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(tensor, non_blocking=True)
        for name, tensor in tensors.items()
    }
    copied = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]  # else waiting keeps a processor busy
    copied.record()

    def wait() -> dict[str, torch.Tensor]:
        copied.synchronize()
        return copies

    return wait


def on_device(pixels: NDArray[np.uint8], device: torch.device) -> torch.Tensor:
    """Copy pixels to a device; a CUDA GPU fetches them from pinned memory while it computes."""
    there = torch.from_numpy(pixels)
    if device.type == "cuda":
        there = there.pin_memory()
    return there.to(device, non_blocking=True)
