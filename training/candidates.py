"""How steep the candidates' logits are: what the stability score of automatic masks depends on.

SAM 2 keeps an automatic mask whose outline hardly moves between the thresholds -1 and 1 of its logits (stability score
0.95 or more). The candidates are trained a quarter as much as the single mask, so their logits are flatter than SAM 2's
and right masks are refused. A factor on them moves no outline. It is chosen as the largest one of FACTORS with which at
least 98 % of the masks that pass on training clips are right; docs/training-log.md says how (temperature scaling: Guo
et al., "On calibration of modern neural networks", ICML 2017).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .clips import Clip, davis, davis_folder, rendered
from .network import build, decode, encode, repeat, without_memory
from .samples import MEAN, STD

FACTORS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
SURE, STABLE = 0.8, 0.95  # SAM 2's default limits for the predicted IoU and the stability score
RIGHT = 0.8  # IoU
SIDE = 14  # prompts along each side of a picture
SHOTS = 14  # rendered clips
_LAYERS = tuple(f"sam_mask_decoder.output_hypernetworks_mlps.{token}.layers.2." for token in (1, 2, 3))


def scale(state: dict[str, Tensor], factor: float) -> dict[str, Tensor]:
    """Weights whose candidates have logits `factor` times as large; the single mask and all outlines stay."""
    return {name: value * factor if name.startswith(_LAYERS) else value for name, value in state.items()}


@torch.no_grad()
def _candidates(model: Any, clip: Clip) -> Tensor:
    """Rows (right, predicted IoU, stability with each of FACTORS) for all candidates on the first frame.

    Only prompts on objects count, as it is not known what is right elsewhere.
    """
    size = model.image_size
    picture = cv2.resize(clip.pictures[0], (size, size), interpolation=cv2.INTER_AREA)
    ids = torch.from_numpy(cv2.resize(clip.ids[0], (size // 4, size // 4), interpolation=cv2.INTER_NEAREST))
    image = ((torch.from_numpy(picture) / 255 - MEAN) / STD).permute(2, 0, 1)[None]
    features = encode(model, image)
    side: NDArray[np.float64] = (np.arange(SIDE) + 0.5) / SIDE * size
    rows = []
    for y in side:
        numbers = [int(ids[int(y) // 4, int(x) // 4]) for x in side]
        points = torch.tensor([[[x, y]] for x, n in zip(side, numbers, strict=True) if n], dtype=torch.float32)
        if not len(points):
            continue
        every = repeat(features, torch.zeros(len(points), dtype=torch.long))
        labels = torch.ones((len(points), 1), dtype=torch.int32)
        answer = decode(model, every, without_memory(model, every), points, labels, None)
        truth = torch.stack([ids == n for n in numbers if n])[:, None]
        logits = answer.logits[:, 1:]
        there = logits > 0
        right = (there & truth).sum((2, 3)) >= RIGHT * (there | truth).sum((2, 3))
        stable = [(logits > 1 / f).sum((2, 3)) / (logits > -1 / f).sum((2, 3)).clamp(min=1) for f in FACTORS]
        rows.append(torch.stack([right.float(), answer.ious[:, 1:], *stable], -1).flatten(0, 1))
    return torch.cat(rows) if rows else torch.zeros((0, 2 + len(FACTORS)))


def report(weights: Path, folder: Path) -> None:
    """Print, for each factor, how many of the passing candidates are right and how many right ones pass.

    Args:
        weights: an export, of the shipped network.
        folder: rendered shots; those whose number ends in 9 are held out, as in training.
    """
    model = build()
    model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True)["model"])
    model.eval()
    shots = rendered(folder, set())
    for held_out in (False, True):
        chosen = [shot for shot in shots if shot.name.endswith("9") == held_out][:SHOTS]
        clips = chosen + davis(davis_folder(), held_out)
        rows = torch.cat([_candidates(model, clip) for clip in clips])
        print(f"{'held out' if held_out else 'trained on'}: {len(clips)} clips, {len(rows)} candidates")
        right, sure = rows[:, 0] > 0, rows[:, 1] > SURE
        for i, factor in enumerate(FACTORS):
            passes = sure & (rows[:, 2 + i] >= STABLE)
            good = (passes & right).sum()
            print(
                f"  x {factor:3.1f}: {good / passes.sum().clamp(min=1):5.1%} of those that pass are right, "
                f"{good / right.sum().clamp(min=1):5.1%} of the right ones pass"
            )
