"""The image encoder on a CPU: constants are computed once, and the memory layout does not change on the way."""

from __future__ import annotations

import torch
from sam2.modeling import position_encoding
from sam2.modeling.backbones import hieradet, utils
from torch import Tensor

from .linear import precision
from .parallel import spread

_STRIP = 8192  # positions: 13 MB between the layers of SAM 2.1 tiny's second block


class PatchEmbed(utils.PatchEmbed):  # type: ignore[misc]  # sam2 is untyped
    """sam2's PatchEmbed with channels last from the start, as the following layers need them."""

    def forward(self, x: Tensor) -> Tensor:
        """(b, 3, S, S) -> (b, S/4, S/4, c)."""
        result: Tensor = super().forward(x.contiguous(memory_format=torch.channels_last))
        return result


class MultiScaleBlock(hieradet.MultiScaleBlock):  # type: ignore[misc]
    """sam2's MultiScaleBlock in strips of windows, so that intermediate results stay in the caches.

    For a whole map at 1024 px they are up to 75 MB per layer, and the system would have to provide them each time.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(b, h, w, c) -> (b, h / stride, w / stride, d): attention stays in windows, so strips do not change it."""
        batch, height, width, _ = x.shape
        if self.window_size:
            rows = self.window_size * max(1, _STRIP // (batch * width * self.window_size))
            if rows < height:
                return torch.cat(spread(super().forward, torch.split(x, rows, 1)), 1)
        result: Tensor = super().forward(x)
        return result


class Hiera(hieradet.Hiera):  # type: ignore[misc]
    """sam2's, for inference."""

    def _get_pos_embed(self, hw: tuple[int, int]) -> Tensor:
        """Learned positions (1, h, w, c), in the current precision."""
        kept: dict[object, Tensor] = self.__dict__.setdefault("_positions", {})
        key = hw, precision()
        if key not in kept:
            kept[key] = super()._get_pos_embed(hw).contiguous().to(precision())
        return kept[key]


class PositionEmbeddingSine(position_encoding.PositionEmbeddingSine):  # type: ignore[misc]
    """sam2's, for inference."""

    cache: dict[object, Tensor]

    def forward(self, x: Tensor) -> Tensor:
        """(b, any, h, w) -> (b, num_pos_feats, h, w) of x's type; not to be written to."""
        key = x.dtype, *x.shape[-2:]
        if key not in self.cache:
            self.cache[key] = self._pe(1, x.device, *x.shape[-2:])[0].to(x.dtype)
            del self.cache[key[1:]]  # float32, as upstream keeps it
        return self.cache[key].expand(len(x), -1, -1, -1)
