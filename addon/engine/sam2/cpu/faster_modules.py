"""Replaces SAM 2's modules by faster ones for a CPU, with the same weights and results.

On a GPU, upstream's modules are the fastest.
"""

from __future__ import annotations

from typing import Any

from sam2.modeling import position_encoding, sam2_utils
from sam2.modeling.backbones import hieradet, utils
from sam2.modeling.sam import transformer
from torch import Tensor, nn

from .attention import MultiScaleAttention, RoPEAttention
from .image_encoder import Hiera, MultiScaleBlock, PatchEmbed, PositionEmbeddingSine
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
    """Give every module of `network` its faster class, if there is one. Weights and names do not change."""
    for module in network.modules():
        module.__class__ = _FASTER.get(type(module), type(module))


def merged(first: Any, second: Any) -> tuple[Tensor, Tensor]:
    """Weight (m, c, 1, 1) and bias (m,) of second(first(x)): two 1x1 convolutions, from c channels and to m."""
    a, b = first.weight.flatten(1), second.weight.flatten(1)
    return (b @ a)[..., None, None], b @ first.bias + second.bias


def merge_projections(model: Any) -> None:
    """Merge consecutive 1x1 convolutions: the neck's of levels 0 and 1 with conv_s0 and conv_s1.

    Between the two, level 0 has 256 channels at a quarter of the input's size. Nothing else reads these (SAM2Base's
    forward_image), unless the neck adds coarser levels to them. `model` must have its weights; do not save it
    afterwards.
    """
    neck, decoder = model.image_encoder.neck, model.sam_mask_decoder
    if {0, 1} & set(neck.fpn_top_down_levels) or not model.use_high_res_features_in_sam:
        return
    for level, name in enumerate(("conv_s0", "conv_s1")):
        first, second = neck.convs[-1 - level].conv, getattr(decoder, name)
        weight, bias = merged(first, second)
        first.weight, first.bias, first.out_channels = nn.Parameter(weight), nn.Parameter(bias), second.out_channels
        setattr(decoder, name, nn.Identity())
