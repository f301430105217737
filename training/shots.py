"""The shots to render: an endless random series for training, and the fixed ones that ship as the demo's clips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .scenes.shot import Shot
from .scenes.subjects import COMPACT, THIN

TRAIN_SEEDS = 10_000  # training shots are numbered from here; the demo's seeds lie below


@dataclass(frozen=True)
class DemoClip:
    """A shipped evaluation clip: its folder's name, what it shows, and how it is rendered."""

    name: str
    shows: str
    shot: Shot


def _demo(seed: int, subject: str, floor: str, **more: object) -> Shot:
    large: dict[str, object] = {"width": 854, "height": 480, "frames": 24, "samples": 5, "coverage_samples": 16}
    common: dict[str, object] = {"fill": 0.55, "clutter": 9, "quality": 82}
    return Shot(seed=seed, subject=subject, floor=floor, **common | large | more)  # type: ignore[arg-type]


DEMO = (
    DemoClip("toy", "A monkey's head on a checkered floor among clutter; the camera orbits.",
             _demo(103, "suzanne", "checker", orbit=40, samples=12)),
    DemoClip("chair", "A thin-legged chair on bricks; the camera orbits.",
             _demo(113, "chair", "brick", orbit=40, samples=8)),
    DemoClip("plant", "A pot plant among clutter; the camera orbits.", _demo(121, "plant", "any", orbit=40)),
    DemoClip("bicycle", "A bicycle, partly hidden by clutter, seen from its side to its back; the camera orbits.",
             _demo(124, "bicycle", "brick", orbit=30)),
    DemoClip("pillar", "A toy animal slides behind a pillar, is hidden for four frames, and comes out again.",
             _demo(132, "animal", "checker", orbit=4, fill=0.4, occlusion="pillar", pillar_width=1.6)),
)  # fmt: skip


def _walker(seed: int, subject: str, floor: str, orbit: float) -> Shot:
    return Shot(
        seed=seed, subject=subject, floor=floor, orbit=orbit, width=320, height=180, frames=24, samples=6, clutter=8,
        fill=0.75, quality=92, walks=True,
    )  # fmt: skip


# Something walks through a static scene, seen from a moving camera; never trained on.
WALKERS = {
    "figure": _walker(201, "figure", "checker", 24),
    "animal": _walker(214, "animal", "brick", -20),
    "stacked_toy": _walker(240, "stacked_toy", "checker", 30),
    # these look like what is behind them
    "teapot": _walker(231, "teapot", "checker", 30),
    "toy_car": _walker(222, "toy_car", "checker", 30),
}


def training_shot(number: int) -> Shot:
    """Return the `number`-th training shot, the same on every machine."""
    rng = np.random.default_rng(TRAIN_SEEDS + number)
    kinds = THIN if rng.random() < 0.55 else COMPACT
    occlusion = str(rng.choice(["none", "clutter", "pillar"], p=[0.6, 0.3, 0.1]))
    return Shot(
        seed=TRAIN_SEEDS + number,
        subject=str(rng.choice(list(kinds))),
        width=640,
        height=360,
        draft=True,
        frames=10 if occlusion == "pillar" else 4,
        orbit=float(rng.uniform(-30, 30)) if occlusion != "pillar" else 6.0,
        clutter=int(rng.integers(2, 12)),
        occlusion=occlusion,
        moving=bool(rng.random() < 0.4),
        fill=float(rng.uniform(0.3, 0.75)) if occlusion != "pillar" else float(rng.uniform(0.25, 0.45)),
        samples=1,
    )
