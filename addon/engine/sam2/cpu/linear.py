"""Linear layers on a CPU: bias and activation inside oneDNN's matrix product, not in further passes over its result.

torch adds the bias of a bfloat16 layer by filling the result with it first, and computes float32 by MKL, which is
slower than oneDNN on other CPUs than Intel's. The fused product is a private operator of torch. A build of torch may
lack it (macOS), and a CPU may lack what it needs (bfloat16 without AVX-512), so it is tried once for each type before
it is used; where it fails, torch's public functions are used.
"""

from __future__ import annotations

import functools
from typing import Literal, get_args

import torch
from sam2.modeling import sam2_utils
from torch import Tensor, nn
from torch.nn import functional

Activation = Literal["none", "relu", "gelu"]

_ACTIVATIONS: dict[type[nn.Module], Activation] = {nn.ReLU: "relu", nn.GELU: "gelu"}


def precision() -> torch.dtype:
    """What matrix products are computed in: autocast's type inside it, float32 elsewhere."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None, activation: Activation = "none") -> Tensor:
    """x weight^T + bias, and an activation, in the type that all three have.

    Args:
        x: (..., k).
        weight: (n, k).
        bias: (n,), or None.
        activation: applied to the result; gelu is the exact one.

    Returns:
        (..., n).
    """
    if can_fuse(x.dtype):
        return _fused(x, weight, bias, activation)
    result = functional.linear(x, weight, bias)
    if activation == "none":
        return result
    return functional.relu(result) if activation == "relu" else functional.gelu(result)


def _fused(x: Tensor, weight: Tensor, bias: Tensor | None, activation: Activation) -> Tensor:
    """As `linear`, by oneDNN's fused product. Raises what torch raises where that is not to be had."""
    result: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, activation, [], "none")
    return result


@functools.cache
def can_fuse(dtype: torch.dtype) -> bool:
    """Whether oneDNN's fused product works for `dtype`, in this build of torch on this CPU.

    It is tried on small tensors, with and without a bias, with every activation that `linear` takes.
    """
    x, weight, bias = (torch.zeros(shape, dtype=dtype) for shape in ((2, 16), (32, 16), (32,)))
    try:
        for activation in get_args(Activation):
            _fused(x, weight, bias, activation)
            _fused(x, weight, None, activation)
    except (RuntimeError, AttributeError, NotImplementedError):
        return False
    return True


def apply(layer: nn.Linear, x: Tensor, activation: Activation = "none") -> Tensor:
    """A layer at the precision that holds: (..., k) -> (..., n)."""
    dtype = precision()
    bias = None if layer.bias is None else layer.bias.to(dtype)
    return linear(x.to(dtype), layer.weight.to(dtype), bias, activation)


class Linear(nn.Linear):
    """torch's, faster."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., in_features) -> (..., out_features)."""
        return apply(self, x)


class MLP(sam2_utils.MLP):  # type: ignore[misc]  # sam2 is untyped
    """sam2's, with the activations inside the products."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., input_dim) -> (..., output_dim)."""
        activation = _ACTIVATIONS.get(type(self.act))
        if activation is None or self.sigmoid_output:
            result: Tensor = super().forward(x)
            return result
        for layer in self.layers[:-1]:
            x = apply(layer, x, activation)
        return apply(self.layers[-1], x)
