"""Puts a model's tensors on the chosen device, and on no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class Only(TorchFunctionMode):
    """Inside this context, tensors that are requested on "cuda" are made on `device`.

    Some of sam2's constructors (RoPEAttention, PositionEmbeddingSine) put tensors on "cuda" if torch sees a GPU,
    whatever the model's device is. A GPU that was not chosen may be defective, or used by somebody else.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self._device = device

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """The hook that torch calls for all of its functions."""
        if func is torch.Tensor.cuda:
            return args[0].to(self._device)
        if func is torch.device:
            return self._here(func(*args, **(kwargs or {})))
        return func(*map(self._here, args), **{name: self._here(value) for name, value in (kwargs or {}).items()})

    def _here(self, argument: Any) -> Any:
        if isinstance(argument, str | torch.device) and str(argument).partition(":")[0] == "cuda":
            return self._device
        return argument
