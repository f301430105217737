"""EfficientNet-Lite0 in Hiera's place: image in, features of four strides out, for sam2's neck.

Blocks are the inverted residuals of Sandler et al., "MobileNetV2" (CVPR 2018), arranged as in Tan and Le,
"EfficientNet" (ICML 2019), in the Lite0 form: no squeeze and excitation, ReLU6 everywhere. Batch norms are folded into
the convolutions, so that one picture or many give the same. A Hiera as small learns slowly from random weights; this
one starts from weights that were trained on ImageNet (`training/pretrained.py`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_STEM = 32
# Of each stage: blocks, kernel, stride of the first block, how much wider the inside is, channels.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_LEVELS = (1, 2, 4, 6)  # the stages after which strides 4, 8, 16 and 32 are complete


class InvertedResidual(nn.Module):
    """1x1 to more channels, depthwise k x k, 1x1 to fewer; added to its input where the shape stays."""

    def __init__(self, before: int, after: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inside = before * expansion
        self.expand = nn.Conv2d(before, inside, 1) if expansion > 1 else None
        self.depthwise = nn.Conv2d(inside, inside, kernel, stride, kernel // 2, groups=inside)
        self.project = nn.Conv2d(inside, after, 1)
        self.adds = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        """(b, before, h, w) -> (b, after, h / stride, w / stride)."""
        inner = x if self.expand is None else nn.functional.relu6(self.expand(x))
        result: Tensor = self.project(nn.functional.relu6(self.depthwise(inner)))
        return x + result if self.adds else result


class EfficientNetLite0(nn.Module):
    """Features at strides 4, 8, 16 and 32, of 24, 40, 112 and 320 channels. 3.0 million parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, _STEM, 3, stride=2, padding=1)
        self.stages = nn.ModuleList()
        width = _STEM
        for count, kernel, stride, expansion, channels in _STAGES:
            blocks = []
            for number in range(count):
                blocks.append(InvertedResidual(width, channels, kernel, 1 if number else stride, expansion))
                width = channels
            self.stages.append(nn.Sequential(*blocks))
        self.channel_list = [_STAGES[stage][-1] for stage in reversed(_LEVELS)]  # coarsest first, as Hiera's

    def forward(self, x: Tensor) -> list[Tensor]:
        """(b, 3, S, S) float, S a multiple of 32 -> (b, c, S/4, S/4) to (b, c, S/32, S/32), finest first."""
        x = nn.functional.relu6(self.stem(x.contiguous(memory_format=torch.channels_last)))
        levels = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in _LEVELS:
                levels.append(x)
        return levels
