"""SAM 2's modules on a CPU: the same weights and results, by ways that take less time there.

On a GPU upstream's own are the fastest, and stay.
"""

from __future__ import annotations

from sam2.modeling import position_encoding, sam2_utils
from sam2.modeling.backbones import hieradet, utils
from sam2.modeling.sam import transformer
from torch import nn

from .attention import MultiScaleAttention, RoPEAttention
from .encoder import Hiera, MultiScaleBlock, PatchEmbed, PositionEmbeddingSine
from .linear import MLP, Linear

_FASTER: dict[type[nn.Module], type[nn.Module]] = {
    nn.Linear: Linear,
    sam2_utils.MLP: MLP,
    transformer.RoPEAttention: RoPEAttention,
    hieradet.MultiScaleAttention: MultiScaleAttention,
    hieradet.MultiScaleBlock: MultiScaleBlock,
    hieradet.Hiera: Hiera,
    utils.PatchEmbed: PatchEmbed,
    position_encoding.PositionEmbeddingSine: PositionEmbeddingSine,
}


def replace_modules(network: nn.Module) -> None:
    """Let every module of `network` that has a faster class be of that; weights and names stay."""
    for module in network.modules():
        module.__class__ = _FASTER.get(type(module), type(module))
