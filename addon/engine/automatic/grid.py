"""Masks of pictures and logits of the model: from one to the other, and how much of one lies in another."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .masks import MASK_SIDE

Mask = NDArray[np.bool_]

AROUND = 10  # steps that what is labelled is grown by, at MASK_SIDE, before more is looked for
_SURE = 10.0  # logit of a pixel of a mask


def mask_size(width: int, height: int) -> tuple[int, int]:
    """(height, width) of the masks of a plate: its own, reduced to MASK_SIDE."""
    scale = min(1.0, MASK_SIDE / max(width, height))
    return max(1, round(height * scale)), max(1, round(width * scale))


def to_logits(mask: Mask) -> NDArray[np.float16]:
    """Bool (h, w) as the matte store keeps it."""
    return np.where(mask, np.float16(_SURE), np.float16(-_SURE))


def to_mask(logits: NDArray[np.floating], size: tuple[int, int]) -> Mask:
    """Logits (h, w) as bool (height, width) = `size`."""
    large = cv2.resize(np.asarray(logits, np.float32), size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(large > 0)


def resized(mask: Mask, size: tuple[int, int]) -> Mask:
    """Bool (h, w) as bool `size`, (height, width): where it covers at least half."""
    if mask.shape == size:
        return mask
    shrinks = size[0] < mask.shape[0]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(mask.astype(np.float32), size[::-1], interpolation=way) >= 0.5)


def iou(a: Mask, b: Mask) -> float:
    """Intersection over union; 0 where both are empty."""
    either = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / either if either else 0.0


def part_inside(mask: Mask, of: Mask) -> float:
    """How much of `mask` lies inside `of`, 0..1; 0 for an empty one."""
    area = np.count_nonzero(mask)
    return np.count_nonzero(mask & of) / area if area else 0.0


def ious(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Of each of a, (n, h, w), with each of b, (m, h, w): float32 (n, m)."""
    flat_a, flat_b = (masks.reshape(len(masks), -1).astype(np.float32) for masks in (a, b))
    shared = flat_a @ flat_b.T
    either = flat_a.sum(1)[:, None] + flat_b.sum(1)[None] - shared
    result: NDArray[np.float32] = np.divide(shared, either, out=np.zeros_like(shared), where=either > 0)
    return result


def dilated(mask: Mask, iterations: int) -> Mask:
    """Grown by `iterations` steps of the plus-shaped neighbourhood."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    return cv2.dilate(mask.astype(np.uint8), cross, iterations=iterations) > 0
