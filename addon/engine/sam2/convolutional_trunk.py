"""A convolutional trunk in Hiera's place: image in, features of four strides out, for sam2's neck.

Hiera learns slowly from scratch (its makers pretrain it with masked autoencoding); plain residual convolutions do not.
Blocks are those of He et al., "Identity mappings in deep residual networks" (ECCV 2016), with group norm, which needs
no large batches, and SiLU.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

_GROUP = 8  # channels that are normalised together
_LEVELS = 4  # strides 4, 8, 16, 32


class ResidualBlock(nn.Module):
    """x + f(x), where f is twice group norm, SiLU and a 3x3 convolution; with fresh weights f gives 0."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = _norm(channels), _norm(channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)  # type: ignore[arg-type]  # there is one

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> the same."""
        inner = self.conv1(nn.functional.silu(self.norm1(x)))
        result: Tensor = x + self.conv2(nn.functional.silu(self.norm2(inner)))
        return result


class ConvolutionalTrunk(nn.Module):
    """Features at strides 4, 8, 16 and 32.

    Args:
        channels: of the four levels, finest first; each a multiple of 8.
        stages: residual blocks of each level.

    Raises ValueError for anything else.
    """

    def __init__(self, channels: Sequence[int], stages: Sequence[int]) -> None:
        super().__init__()
        if len(channels) != _LEVELS or len(stages) != _LEVELS:
            raise ValueError(f"a convolutional trunk has {_LEVELS} levels, not {len(channels)} and {len(stages)}")
        if any(width < _GROUP or width % _GROUP for width in channels) or any(stage < 0 for stage in stages):
            raise ValueError(f"channels {list(channels)} are no multiples of {_GROUP}, or stages are negative")
        self.channel_list = list(reversed(channels))  # coarsest first, as Hiera's
        self.stem = nn.Conv2d(3, channels[0], 3, stride=2, padding=1)
        self.downs = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=2, padding=1)
            for before, after in zip((channels[0], *channels), channels, strict=False)
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(width) for _ in range(count)))
            for width, count in zip(channels, stages, strict=True)
        )
        self.norms = nn.ModuleList(map(_norm, channels))

    def forward(self, x: Tensor) -> list[Tensor]:
        """(b, 3, S, S) float, S a multiple of 32 -> (b, c, S/4, S/4) to (b, c, S/32, S/32), finest first."""
        x = nn.functional.silu(self.stem(x.contiguous(memory_format=torch.channels_last)))
        levels = []
        for down, blocks, norm in zip(self.downs, self.stages, self.norms, strict=True):
            x = blocks(down(x))
            levels.append(norm(x))
        return levels


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(channels // _GROUP, channels)
