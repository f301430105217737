"""bfloat16 where the hardware computes it natively, with attention in float32 on a CPU, whose backward is faster so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from addon.engine.model import choose_precision


class _FloatAttention(TorchFunctionMode):
    """On a CPU the backward of attention takes four times as long in bfloat16 as in float32 (torch 2.13)."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is functional.scaled_dot_product_attention:
            with torch.autocast("cpu", enabled=False):
                return func(*(a.float() for a in args), **(kwargs or {}))
        return func(*args, **(kwargs or {}))


@contextmanager
def mixed(device: torch.device) -> Iterator[None]:
    """A forward pass in mixed precision, where that is faster on the device."""
    enabled = choose_precision("auto", device) == "bfloat16"
    with torch.autocast(device.type, torch.bfloat16, enabled=enabled):
        if enabled and device.type == "cpu":
            with _FloatAttention():
                yield
        else:
            yield
