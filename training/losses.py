"""SAM 2's training losses (arXiv 2408.00714, D.2): focal and dice on masks, L1 on predicted IoU, BCE on visibility."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from .network import Decoded

FOCAL, DICE, IOU, SCORE, CANDIDATES = 20.0, 1.0, 1.0, 1.0, 0.25


def focal(logits: Tensor, target: Tensor) -> Tensor:
    """Return the mean focal loss (gamma 2) of (..., h, w) logits against soft coverage, 0 to 1."""
    bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (bce * (target - logits.sigmoid()).square()).mean((-2, -1))


def balanced(logits: Tensor, target: Tensor) -> Tensor:
    """Return the cross entropy with equal weight for inside and outside, so that an empty answer costs as much as a
    full one.
    """
    inside, outside = target.sum((-2, -1)).clamp(min=1), (1 - target).sum((-2, -1)).clamp(min=1)
    miss = (F.softplus(-logits) * target).sum((-2, -1)) / inside
    surplus = (F.softplus(logits) * (1 - target)).sum((-2, -1)) / outside
    return 0.5 * (miss + surplus)


def dice(logits: Tensor, target: Tensor) -> Tensor:
    """Return 1 - soft dice of (..., h, w) logits."""
    p = logits.sigmoid()
    return 1 - (2 * (p * target).sum((-2, -1)) + 1) / (p.sum((-2, -1)) + target.sum((-2, -1)) + 1)


def iou(logits: Tensor, target: Tensor) -> Tensor:
    """Return the hard IoU of (..., h, w) logits; 1 where both are empty."""
    a, b = logits > 0, target >= 0.5
    union = (a | b).sum((-2, -1))
    return torch.where(
        union > 0, (a & b).sum((-2, -1)) / union.clamp(min=1), torch.ones_like(union, dtype=torch.float32)
    )


def loss(answer: Decoded, target: Tensor, candidates: bool, early: float = 0.0) -> Tensor:
    """Return the mean loss of N objects against N x h x w coverage.

    The single mask always counts. With `candidates`, the best of the three multimask candidates also counts, with a
    small weight. Where the object is hidden, only its score counts, as in the paper. `early` (1 to 0 over the first
    stage) is the weight of the balanced cross entropy, which replaces that part of the focal loss.
    """
    logits = answer.logits.float()
    visible = (target.flatten(1).amax(1) >= 0.5).float()
    every = target[:, None].expand_as(logits)
    per_mask = (1 - early) * FOCAL * focal(logits, every) + DICE * dice(logits, every)
    if early:
        per_mask = per_mask + early * balanced(logits, every)
    with torch.no_grad():
        quality = iou(logits, every)
    per_mask = per_mask + IOU * (answer.ious.float() - quality).abs()
    total = per_mask[:, 0]
    if candidates:
        total = total + CANDIDATES * per_mask[:, 1:].min(1).values
    score = F.binary_cross_entropy_with_logits(answer.score.float()[:, 0], visible)
    return (total * visible).sum() / visible.sum().clamp(min=1) + SCORE * score
