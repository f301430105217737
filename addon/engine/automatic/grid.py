"""Conversion between masks and logits, and measures of overlap between masks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .masks import MASK_SIDE

Mask = NDArray[np.bool_]

AROUND = 10  # dilation steps at MASK_SIDE around labelled areas, in which no new labels are searched for
_SURE = 10.0  # absolute logit of all pixels of a converted mask


def mask_size(width: int, height: int) -> tuple[int, int]:
    """The size (height, width) of masks for a plate: the plate's size, scaled down to MASK_SIDE if larger."""
    scale = min(1.0, MASK_SIDE / max(width, height))
    return max(1, round(height * scale)), max(1, round(width * scale))


def to_logits(mask: Mask) -> NDArray[np.float16]:
    """Convert a mask, bool (h, w), to logits as the matte store keeps them."""
    return np.where(mask, np.float16(_SURE), np.float16(-_SURE))


def to_mask(logits: NDArray[np.floating], size: tuple[int, int]) -> Mask:
    """Convert logits (h, w) to a mask, bool, of `size` (height, width)."""
    large = cv2.resize(np.asarray(logits, np.float32), size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(large > 0)


def resized(mask: Mask, size: tuple[int, int]) -> Mask:
    """Resize a mask, bool (h, w), to `size` (height, width). Pixels count if at least half of them is covered."""
    if mask.shape == size:
        return mask
    shrinks = size[0] < mask.shape[0]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(mask.astype(np.float32), size[::-1], interpolation=way) >= 0.5)


def iou(a: Mask, b: Mask) -> float:
    """Intersection over union, 0..1; 0 if both masks are empty."""
    either = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / either if either else 0.0


def part_inside(mask: Mask, of: Mask) -> float:
    """The share of `mask` that lies inside `of`, 0..1; 0 if `mask` is empty."""
    area = np.count_nonzero(mask)
    return np.count_nonzero(mask & of) / area if area else 0.0


def ious(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The IoU of all pairs of masks from a, (n, h, w), and b, (m, h, w): float32 (n, m)."""
    flat_a, flat_b = (masks.reshape(len(masks), -1).astype(np.float32) for masks in (a, b))
    shared = flat_a @ flat_b.T
    either = flat_a.sum(1)[:, None] + flat_b.sum(1)[None] - shared
    result: NDArray[np.float32] = np.divide(shared, either, out=np.zeros_like(shared), where=either > 0)
    return result


def dilated(mask: Mask, iterations: int) -> Mask:
    """Dilate a mask by `iterations` steps of the plus-shaped neighbourhood."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    return cv2.dilate(mask.astype(np.uint8), cross, iterations=iterations) > 0
