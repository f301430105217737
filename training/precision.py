"""bfloat16 where the hardware computes it natively, and on a CPU only where its backward is fast."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from addon.engine.sam2.model import choose_precision


class _Attention(torch.autograd.Function):
    """softmax(q k^T / sqrt(d)) v of (..., n, d) bfloat16, with the softmax kept for the backward."""

    @staticmethod
    def forward(context: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        weights = torch.softmax((q * q.shape[-1] ** -0.5) @ k.mT, -1)
        context.save_for_backward(q, k, v, weights)
        return weights @ v

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v, weights = context.saved_tensors
        scores = torch.ops.aten._softmax_backward_data(gradient @ v.mT, weights, -1, weights.dtype)
        scale = q.shape[-1] ** -0.5
        return scores @ k * scale, scores.mT @ q * scale, weights.mT @ gradient


class _Fast(TorchFunctionMode):
    """Replaces operations for which torch (2.13) has no fast CPU kernel.

    - Attention becomes matrix products. torch's own takes twice as long in float32, forward and backward, and longer
      still in bfloat16; the memory that it saves is not needed at training sizes.
    - Depthwise convolutions with gradients run in float32: their bfloat16 backward takes two to three times as long
      (EfficientNet-Lite0's trunk on six pictures of 256 px, one core: 0.57 s in bfloat16, 0.26 s in float32).
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is functional.scaled_dot_product_attention:
            return _Attention.apply(*(a.bfloat16() for a in args))  # type: ignore[no-untyped-call]
        if func is torch.conv2d and args[1].shape[1] == 1 and args[1].requires_grad:
            with torch.autocast("cpu", enabled=False):
                return func(args[0].float(), *args[1:], **(kwargs or {}))
        return func(*args, **(kwargs or {}))


@contextmanager
def mixed(device: torch.device) -> Iterator[None]:
    """Run the forward pass in mixed precision where that is faster on the device."""
    enabled = choose_precision("auto", device) == "bfloat16"
    with torch.autocast(device.type, torch.bfloat16, enabled=enabled):
        if enabled and device.type == "cpu":
            with _Fast():
                yield
        else:
            yield
