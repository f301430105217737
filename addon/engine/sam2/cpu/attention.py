"""Attention over many keys on a CPU, with the results of RoPEAttention (sam2/modeling/sam/transformer.py).

Tracking attends from the s x s positions of a frame to those of seven remembered frames and a few object pointers: 4096
queries, 28736 keys at 1024 px input. That is the largest part of a frame's time. Three things make it cheaper:

- *Values are projected last.* A row of softmax weights A sums to 1, so A (M W + b) = (A M) W + b: attended is the
  memory itself, with 64 channels, instead of its projection to 256.
- *Scores are computed in blocks that fit the caches*, never as a whole (as in FlashAttention, Dao et al. 2022). Softmax
  does not need the maximum of a row, only a value near it, because a shift of all scores cancels out. The maximum over
  a sample of the keys is used, and corrected if a score is far above it, which the sum of the weights shows. Near the
  maximum, where the weights are large, bfloat16 resolves scores finely.
- *exp2 instead of exp*, which torch computes three times as fast; log2 e is a factor of the queries.

In float32 all this changes rounding only. The image encoder attends over a whole frame in the same way.
"""

from __future__ import annotations

import math

import torch
from sam2.modeling.backbones import hieradet
from sam2.modeling.sam import transformer
from torch import Tensor

from .linear import apply, linear, precision
from .parallel import spread

_QUERIES, _KEYS = 512, 2048  # of a block: 2 MB of bfloat16 scores
_SAMPLE = 64  # one of so many keys is in the sample
_MANY = 1024  # positions below which one product over all scores is faster
_ROOM = 16  # a score may lie 2^16 above the sample's largest before the shift is corrected


def attend(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """2^(queries keys^T), each row divided by its sum, times values.

    Args:
        queries: (n, d), scaled, log2 e included.
        keys: (m, d).
        values: (m, e). All three have the dtype of the products.

    Returns:
        (n, e) float32.
    """
    columns = torch.cat((values.t(), values.new_ones(1, len(values))))  # (e + 1, m): the last row sums the weights
    sample = keys[::_SAMPLE].contiguous()
    result = queries.new_empty((len(queries), values.shape[1]), dtype=torch.float32)

    def answer(start: int) -> None:
        block = queries[start : start + _QUERIES]
        shift = linear(sample, block).amax(0)
        total = result.new_zeros(len(columns), len(block))
        for some, theirs in zip(torch.split(keys, _KEYS), torch.split(columns, _KEYS, 1), strict=True):
            weighed = theirs @ linear(some, block, -shift).exp2_()  # of scores (keys, queries)
            if not weighed[-1].max() <= 2**_ROOM:
                scores = linear(some, block, -shift)
                old, shift = shift, shift + scores.amax(0).clamp_min(0)
                total *= torch.exp2(old.float() - shift.float())
                weighed = theirs @ linear(some, block, -shift).exp2_()
            total += weighed
        result[start : start + _QUERIES] = (total[:-1] / total[-1]).t()

    spread(answer, range(0, len(queries), _QUERIES))
    return result


def _scale(channels: int) -> float:
    """The factor for the queries of `attend`, for softmax(q k^T / sqrt(channels))."""
    return math.log2(math.e) / math.sqrt(channels)


class RoPEAttention(transformer.RoPEAttention):  # type: ignore[misc]  # sam2 is untyped
    """sam2's, for inference with one head."""

    freqs_cis: Tensor  # complex64 (n, internal_dim / 2): the rotation of each pair of channels at each position

    def forward(self, q: Tensor, k: Tensor, v: Tensor, num_k_exclude_rope: int = 0) -> Tensor:
        """Compute the same as upstream's."""
        if self.num_heads > 1 or self.training:
            result: Tensor = super().forward(q, k, v, num_k_exclude_rope)
            return result
        if len(self.freqs_cis) != q.shape[1]:
            side = math.sqrt(q.shape[1])
            self.freqs_cis = self.compute_cis(end_x=side, end_y=side)
        scale = _scale(self.internal_dim)
        attended = [
            attend(
                (self._rotated(apply(self.q_proj, one_q)) * scale).to(precision()),
                self._keys(one_k, num_k_exclude_rope),
                one_v.to(precision()),
            )
            for one_q, one_k, one_v in zip(q, k, v, strict=True)
        ]
        return apply(self.out_proj, apply(self.v_proj, torch.stack(attended)))

    def _keys(self, k: Tensor, without_position: int) -> Tensor:
        """The projected keys, those of positions rotated: (m, kv_in_dim) -> (m, internal_dim)."""
        keys = apply(self.k_proj, k)
        for grid in torch.split(keys[: len(keys) - without_position], len(self.freqs_cis)):
            grid.copy_(self._rotated(grid))
        return keys

    def _rotated(self, grid: Tensor) -> Tensor:
        """Rotary position encoding of a grid: (n, internal_dim) -> the same, float32."""
        pairs = torch.view_as_complex(grid.float().view(len(grid), -1, 2))
        return torch.view_as_real(pairs * self.freqs_cis).flatten(-2)


class MultiScaleAttention(hieradet.MultiScaleAttention):  # type: ignore[misc]
    """sam2's of the image encoder, for inference."""

    def forward(self, x: Tensor) -> Tensor:
        """(b, h, w, dim) -> (b, h', w', dim_out); h' = h and w' = w, or half of them where queries are pooled."""
        b, h, w, _ = x.shape
        if h * w < _MANY:
            return self._in_windows(x)
        if self.q_pool or self.training:
            result: Tensor = super().forward(x)
            return result
        heads = self.qkv(x).reshape(b, h * w, 3, self.num_heads, -1).permute(0, 3, 2, 1, 4)  # (b, heads, 3, h w, d)
        scale = _scale(heads.shape[-1])
        attended = [[attend(q * scale, k.contiguous(), v) for q, k, v in image] for image in heads]
        joined = torch.stack([torch.cat(part, 1) for part in attended])
        projected: Tensor = self.proj(joined.reshape(b, h, w, -1))
        return projected

    def _in_windows(self, x: Tensor) -> Tensor:
        """Attention inside many small windows, by batched products, in two thirds of the time of torch's."""
        b, h, w, _ = x.shape
        q, k, v = self.qkv(x).reshape(b, h * w, 3, self.num_heads, -1).unbind(2)
        if self.q_pool:
            pooled = hieradet.do_pool(q.reshape(b, h, w, -1), self.q_pool)
            h, w = pooled.shape[1:3]
            q = pooled.reshape(b, h * w, self.num_heads, -1)
        q, k, v = (tensor.transpose(1, 2).flatten(0, 1) for tensor in (q, k, v))  # (b heads, positions, d)
        scores = torch.baddbmm(q.new_zeros(1), q, k.mT, beta=0, alpha=1 / math.sqrt(q.shape[-1]))
        attended = torch.bmm(scores.softmax(-1), v).view(b, self.num_heads, h * w, -1).transpose(1, 2)
        projected: Tensor = self.proj(attended.reshape(b, h, w, -1))
        return projected
