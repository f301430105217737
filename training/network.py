"""The embedded network for training: built from its config, at any input size, with the decoder's raw outputs.

The network is sam2's own; this module only changes how its parts are called:
- the two high-resolution levels' 1x1 convolutions (neck, then decoder) are multiplied into one, which is exact and
  saves a 128-channel map at a quarter of the input size;
- mask logits are taken before sam2 sets them to -1024 where the object score is negative, which would stop gradients.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor

from addon.engine.sam2.cpu.faster_modules import merged
from addon.engine.sam2.efficientnet_lite import EfficientNetLite0

HERE = Path(__file__).resolve().parent.parent
CONFIG = HERE / "addon" / "checkpoints" / "embedded.yaml"
WEIGHTS = HERE / "addon" / "checkpoints" / "embedded.pt"


class Features(NamedTuple):
    """An image's features: strides 4, 8 and 16 of the input, B x 16, 32, 128 channels."""

    s0: Tensor
    s1: Tensor
    top: Tensor
    position: Tensor  # of `top`


class Decoded(NamedTuple):
    """The mask decoder's outputs for B objects. Token 0 is the single mask, 1 to 3 are the multimask candidates."""

    logits: Tensor  # B x 4 x S/4 x S/4, raw
    ious: Tensor  # B x 4
    tokens: Tensor  # B x 4 x 128
    score: Tensor  # B x 1, logit of "the object is visible"


def build(config: str = "") -> Any:
    """Build the network that a config of ours (YAML text; empty: the shipped one) describes, with fresh weights."""
    return instantiate(OmegaConf.create(config or CONFIG.read_text()).model)


def keep_first_stages(model: Any) -> None:
    """Freeze a pretrained trunk up to stride 8, which keeps its edge and texture filters.

    Their backward pass works on the largest maps and would take a seventh of a step.
    """
    trunk = model.image_encoder.trunk
    if isinstance(trunk, EfficientNetLite0):
        trunk.stem.requires_grad_(False)
        trunk.stages[:2].requires_grad_(False)


def set_size(model: Any, size: int) -> None:
    """Set the input size to size x size pixels; position encodings are interpolated."""
    model.image_size = size
    grid = size // model.backbone_stride
    model.sam_image_embedding_size = grid
    prompt = model.sam_prompt_encoder
    prompt.image_embedding_size, prompt.input_image_size = (grid, grid), (size, size)
    prompt.mask_input_size = (4 * grid, 4 * grid)


def encode(model: Any, images: Tensor) -> Features:
    """Return the features of B x 3 x S x S normalised images; the numbers equal those of sam2's forward_image."""
    maps = model.image_encoder.trunk(images)  # strides 4, 8, 16, 32
    neck, decoder = model.image_encoder.neck, model.sam_mask_decoder
    convs = [layer.conv for layer in neck.convs]  # from the coarsest to the finest
    coarse = F.interpolate(convs[0](maps[3]).float(), scale_factor=2.0, mode="nearest")
    top = convs[1](maps[2]) + coarse
    return Features(
        F.conv2d(maps[0], *merged(convs[3], decoder.conv_s0)),
        F.conv2d(maps[1], *merged(convs[2], decoder.conv_s1)),
        top,
        neck.position_encoding(top).to(top.dtype),
    )


def decode(
    model: Any, features: Features, top: Tensor, points: Tensor | None, labels: Tensor | None, mask: Tensor | None
) -> Decoded:
    """Decode one object for each row.

    Args:
        model: the network.
        features: features of the same B rows; only s0 and s1 are used.
        top: B x 128 x S/16 x S/16, conditioned on memory or on its absence.
        points: B x N x 2 input pixels, x right, y down; None: no point.
        labels: B x N; 1 include, 0 exclude, 2 and 3 a box's corners, -1 padding.
        mask: B x 1 x S/4 x S/4 logits of an earlier answer, or None.
    """
    batch = top.shape[0]
    if points is None or labels is None:
        points = torch.zeros(batch, 1, 2, device=top.device)
        labels = -torch.ones(batch, 1, dtype=torch.int32, device=top.device)
    sparse, dense = model.sam_prompt_encoder(points=(points, labels), boxes=None, masks=mask)
    return Decoded(
        *model.sam_mask_decoder.predict_masks(
            image_embeddings=top,
            image_pe=model.sam_prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            repeat_image=False,
            high_res_features=[features.s0, features.s1],
        )
    )


def without_memory(model: Any, features: Features) -> Tensor:
    """Return the top features of a prompted first frame, which has no memory."""
    nothing: Tensor = model.no_mem_embed.permute(0, 2, 1)[..., None]
    return features.top + nothing


def repeat(features: Features, index: Tensor) -> Features:
    """Return rows `index` of the features, so that an image encoded once serves all its objects."""
    return Features(*(part[index] for part in features))
