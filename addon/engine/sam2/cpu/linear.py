"""Linear layers on a CPU, with bias and activation fused into oneDNN's matrix product.

torch adds the bias of a bfloat16 layer by filling the result with it first. It computes float32 with MKL, which is
slower than oneDNN on CPUs that are not Intel's. The fused product is a private operator of torch. Some builds of torch
lack it (macOS), and some CPUs don't support it (bfloat16 without AVX-512), so it is tried once per dtype. If it fails,
torch's public functions are used.
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
    """The dtype of matrix products: autocast's inside autocast, float32 elsewhere."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None, activation: Activation = "none") -> Tensor:
    """Compute activation(x weight^T + bias), in the dtype that all three share.

    Args:
        x: (..., k).
        weight: (n, k).
        bias: (n,), or None.
        activation: applied to the result; "gelu" is exact.

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
    """Compute `linear` with oneDNN's fused product. Raises torch's errors if it is not available."""
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
    """Apply a layer in the current precision: (..., k) -> (..., n)."""
    dtype = precision()
    bias = None if layer.bias is None else layer.bias.to(dtype)
    return linear(x.to(dtype), layer.weight.to(dtype), bias, activation)


class Linear(nn.Linear):
    """torch.nn.Linear with the fused product."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., in_features) -> (..., out_features)."""
        return apply(self, x)


class MLP(sam2_utils.MLP):  # type: ignore[misc]  # sam2 is untyped
    """sam2's MLP with fused activations."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., input_dim) -> (..., output_dim)."""
        activation = _ACTIVATIONS.get(type(self.act))
        if activation is None or self.sigmoid_output:
            result: Tensor = super().forward(x)
            return result
        for layer in self.layers[:-1]:
            x = apply(layer, x, activation)
        return apply(self.layers[-1], x)
