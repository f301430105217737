"""One training step's forward pass on windows along an edge, prompted as *Refine Edges: Windows* prompts them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from addon.engine.matting.window_refine import BAND, certain_points, near_edge

from .losses import iou, loss
from .network import decode, encode, repeat, without_memory
from .prompts import tensors
from .samples import Batch

Rng = np.random.Generator
Floats = NDArray[np.float32]


def _coarse(rng: Rng, truth: NDArray[np.bool_], pitch: float) -> Floats:
    """Return S/4 x S/4 logits as a model gives them for a larger picture: one per `pitch` cells, edges off by up to
    half a cell.
    """
    size = len(truth)
    wander = cv2.resize(rng.normal(0, 4 * pitch / 4, (6, 6, 2)).astype(np.float32), (size, size))
    x, y = np.meshgrid(np.arange(size, dtype=np.float32), np.arange(size, dtype=np.float32))
    displaced = cv2.remap(truth.astype(np.float32), x + wander[..., 0], y + wander[..., 1], cv2.INTER_LINEAR,
                          borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
    grid = max(3, round(size / 4 / pitch))
    coverage = cv2.resize(displaced, (grid, grid), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:
        coverage = cv2.GaussianBlur(coverage, (3, 3), 0)
    logits = (coverage - 0.5) * np.float32(rng.uniform(10, 40))
    fine = cv2.resize(logits, (size // 4, size // 4), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(fine, -20, 20), np.float32)


def window_step(model: Any, batch: Batch, rng: Rng, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return loss and mean IoU of the answers to a coarse matte and points where it is certain."""
    target, truth = batch.targets(device)[:, 0], batch.masks[:, 0]
    masks, every = [], []
    for one in truth:
        pitch = float(np.exp(rng.uniform(np.log(3), np.log(10))))
        coarse = _coarse(rng, one, pitch)
        band = near_edge(coarse, int(np.ceil(BAND * pitch)))
        masks.append(coarse)
        every.append(certain_points(coarse, band))
    width = max(1, *(len(labels) for _, labels in every))
    points, labels = np.zeros((len(truth), width, 2), np.float32), np.full((len(truth), width), -1, np.int32)
    for i, (places, signs) in enumerate(every):
        for k, (place, sign) in enumerate(zip(places, signs, strict=True)):
            points[i, k], labels[i, k] = 4 * np.array(place), sign
    features = repeat(encode(model, batch.images[:, 0].to(device)), batch.owner.to(device))
    hint = torch.from_numpy(np.stack(masks))[:, None].to(device)
    answer = decode(model, features, without_memory(model, features), *tensors(points, labels, device), hint)
    return loss(answer, target, False), iou(answer.logits[:, 0], target).mean()
