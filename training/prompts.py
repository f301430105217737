"""Simulated prompts, as SAM 2 is trained (arXiv 2408.00714, D.2): clicks, boxes, and clicks that correct an answer."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Rng = np.random.Generator
Mask = NDArray[np.bool_]
WIDTH = 4  # prompts are padded to this many points


def deepest(mask: Mask) -> tuple[float, float]:
    """Return (x, y) of the pixel farthest from the mask's border."""
    depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(x) + 0.5, float(y) + 0.5


def click(rng: Rng, mask: Mask) -> tuple[float, float]:
    """Return (x, y) of a pixel of the mask: sometimes the deepest, sometimes a random one."""
    if rng.random() < 0.4:
        return deepest(mask)
    ys, xs = np.nonzero(mask)
    pick = int(rng.integers(len(xs)))
    return float(xs[pick]) + 0.5, float(ys[pick]) + 0.5


def correction(rng: Rng, answer: Mask, truth: Mask) -> tuple[float, float, int]:
    """Return (x, y, label) of a click into the larger error: a missed part (1) or an excess part (0)."""
    missed, surplus = truth & ~answer, answer & ~truth
    wrong, label = (missed, 1) if missed.sum() >= surplus.sum() else (surplus, 0)
    if not wrong.any():
        wrong, label = (truth, 1) if truth.any() else (~truth, 0)
    return (*click(rng, wrong), label)


def first_prompts(rng: Rng, masks: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return points N x 4 x 2 and labels N x 4 (-1 = padding) for N x S x S masks: one to three clicks, or a box."""
    points = np.zeros((len(masks), WIDTH, 2), np.float32)
    labels = np.full((len(masks), WIDTH), -1, np.int32)
    for i, mask in enumerate(masks):
        if rng.random() < 0.4:
            ys, xs = np.nonzero(mask)
            box = np.array([[xs.min(), ys.min()], [xs.max() + 1, ys.max() + 1]], np.float32)
            size = box[1] - box[0]
            points[i, :2] = box + np.clip(rng.normal(0, 0.04, (2, 2)) * size, -10, 10)
            labels[i, :2] = 2, 3
        else:
            for k in range(int(rng.choice([1, 2, 3], p=[0.5, 0.2, 0.3]))):
                points[i, k], labels[i, k] = click(rng, mask), 1
    return points, labels


def corrected(
    rng: Rng,
    points: NDArray[np.float32],
    labels: NDArray[np.int32],
    answers: NDArray[np.bool_],
    truths: NDArray[np.bool_],
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Add one correcting click to the prompts; if no slot is free, it replaces the last click."""
    points, labels = points.copy(), labels.copy()
    for i in range(len(points)):
        free = np.flatnonzero(labels[i] == -1)
        k = int(free[0]) if len(free) else WIDTH - 1
        x, y, label = correction(rng, answers[i], truths[i])
        points[i, k], labels[i, k] = (x, y), label
    return points, labels


def tensors(points: NDArray[np.float32], labels: NDArray[np.int32], device: torch.device) -> tuple[Tensor, Tensor]:
    """Move the prompts to the device."""
    return torch.from_numpy(points).to(device), torch.from_numpy(labels).to(device)
