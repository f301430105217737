"""A small fixed measurement during training: mean IoU on held-out samples, from one click and while tracking."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from .losses import iou
from .network import decode, encode, repeat, without_memory
from .prompts import deepest, tensors
from .samples import Sampler
from .steps import clip_step


@torch.no_grad()
def measure(
    model: Any, samplers: dict[str, Sampler], device: torch.device, rounds: int = 3, clips: bool = False
) -> dict[str, float]:
    """Return the mean IoU for each sampler after one click on the deepest point and, with `clips`, while tracking."""
    model.eval()
    result: dict[str, float] = {}
    for name, sampler in samplers.items():
        sampler.rng = np.random.default_rng(7)
        clicked, tracked = [], []
        for _ in range(rounds):
            batch = sampler.batch(8, 1, 1)
            features = repeat(encode(model, batch.images[:, 0].to(device)), batch.owner.to(device))
            points = np.full((len(batch.owner), 1, 2), 0, np.float32)
            for i, mask in enumerate(batch.masks[:, 0]):
                points[i, 0] = deepest(mask)
            labels = np.ones((len(batch.owner), 1), np.int32)
            answer = decode(model, features, without_memory(model, features), *tensors(points, labels, device), None)
            clicked.append(iou(answer.logits[:, 0], batch.targets(device)[:, 0]).mean().item())
            if clips:
                _, quality = clip_step(model, sampler.batch(3, 5, 1), np.random.default_rng(5), device)
                tracked.append(quality.item())
        result[f"{name} click"] = float(np.mean(clicked))
        if clips:
            result[f"{name} track"] = float(np.mean(tracked))
    model.train()
    return result
