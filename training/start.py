"""Where a network that is trained from scratch starts: attention that already finds the same place.

With sam2's own random start, attention has to discover that a click's position code and a pixel's are the same code,
and that a place in memory is the same place now. On 500 steps it had not (measured); told so by its first weights it
need not discover it.
"""

from __future__ import annotations

from typing import Any

import torch

CLICK_GAIN, MEMORY_BIAS = 2.0, 0.7


@torch.no_grad()
def place_aware(model: Any) -> None:
    """Queries and keys of the decoder's cross attention share their weights; those of memory attention share a bias.

    The decoder: a semi-orthogonal projection keeps the position codes' inner products, which peak at equal places.
    Memory: a constant under the rotary code answers with the sum of cosines of the distance, which peaks at zero.
    """
    transformer = model.sam_mask_decoder.transformer
    crossings = [transformer.final_attn_token_to_image]
    for layer in transformer.layers:
        crossings += [layer.cross_attn_token_to_image, layer.cross_attn_image_to_token]
    for attention in crossings:
        torch.nn.init.orthogonal_(attention.q_proj.weight, CLICK_GAIN)
        attention.k_proj.weight.copy_(attention.q_proj.weight)
    for layer in model.memory_attention.layers:
        for attention in (layer.self_attn, layer.cross_attn_image):
            attention.q_proj.bias.fill_(MEMORY_BIAS)
            attention.k_proj.bias.fill_(MEMORY_BIAS)
