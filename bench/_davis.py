"""DAVIS's measures of a matte: J (region), F (boundary) and J&F, as its official evaluation code computes them.

Perazzi et al., A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation, CVPR 2016. Boundaries are
matched after dilating both with a disk whose radius is 0.8 % of the image's diagonal, rounded up, as in
`db_eval_boundary`.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
TOLERANCE = 0.008  # of the diagonal


def jaccard(answer: Mask, truth: Mask) -> float:
    """Return the intersection over union of two H x W masks; 1 if both are empty."""
    union = int((answer | truth).sum())
    return 1.0 if union == 0 else float((answer & truth).sum() / union)


def boundary(mask: Mask) -> Mask:
    """Return the boundary pixels of a mask: those that differ from their right, lower or lower right neighbour
    (`seg2bmap`).
    """
    east, south, corner = mask.copy(), mask.copy(), mask.copy()
    east[:, :-1] = mask[:, 1:]
    south[:-1] = mask[1:]
    corner[:-1, :-1] = mask[1:, 1:]
    edge = (mask ^ east) | (mask ^ south) | (mask ^ corner)
    edge[-1] = mask[-1] ^ east[-1]
    edge[:, -1] = mask[:, -1] ^ south[:, -1]
    edge[-1, -1] = False
    return edge


def _disk(radius: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(x * x + y * y <= radius * radius, np.uint8)


def boundary_f(answer: Mask, truth: Mask) -> float:
    """Return the F-measure of the boundaries of two H x W masks."""
    radius = math.ceil(TOLERANCE * math.hypot(*truth.shape))
    mine, theirs = boundary(answer), boundary(truth)
    near_mine = cv2.dilate(mine.astype(np.uint8), _disk(radius)) > 0
    near_theirs = cv2.dilate(theirs.astype(np.uint8), _disk(radius)) > 0
    count_mine, count_theirs = int(mine.sum()), int(theirs.sum())
    if count_mine == 0 or count_theirs == 0:
        # as upstream: an empty answer has precision 1, an empty truth recall 1
        precision = 1.0 if count_mine == 0 else 0.0
        recall = 1.0 if count_theirs == 0 else 0.0
    else:
        precision = float((mine & near_theirs).sum() / count_mine)
        recall = float((theirs & near_mine).sum() / count_theirs)
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)
