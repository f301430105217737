"""Puts a model's tensors where they were asked for, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class Only(TorchFunctionMode):
    """Inside it, what asks for "cuda" gets `device`.

    Some of sam2's constructors put tensors on "cuda" wherever torch sees a GPU (RoPEAttention, PositionEmbeddingSine),
    whichever device the model is meant for. A GPU that was not chosen may be the one that fails, or somebody else's.
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
        """As torch calls it for each of its functions."""
        if func is torch.Tensor.cuda:
            return args[0].to(self._device)
        if func is torch.device:
            return self._here(func(*args, **(kwargs or {})))
        return func(*map(self._here, args), **{name: self._here(value) for name, value in (kwargs or {}).items()})

    def _here(self, argument: Any) -> Any:
        if isinstance(argument, str | torch.device) and str(argument).partition(":")[0] == "cuda":
            return self._device
        return argument
