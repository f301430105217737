"""The stages of a training, of growing difficulty: what is learnt on small pictures is cheap, and carries over."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """One stage: what a step sees, how fast it learns, and how many steps it has."""

    name: str
    steps: float
    size: int  # pixels
    pictures: int  # a step
    frames: int
    objects: int  # a picture
    rate: float
    mix: tuple[float, float, float]  # composites, rendered shots, DAVIS
    early: float = 0.0  # how much of the balanced loss at its start
    single: float = 0.0  # share of the steps that see as many pictures, each by itself
    longer: float = 0.0  # share of the steps that see twice as many frames
    lost: float = 0.0  # share of the steps that see a subject which is out of sight on the way
    windows: float = 0.0  # share of the steps that see windows along an edge


STAGES = (
    Stage("frames", 800, 256, 4, 1, 4, 1.5e-3, (0.3, 0.55, 0.15), early=1.0),
    Stage("clips", 8000, 256, 2, 3, 2, 1.5e-3, (0.25, 0.5, 0.25), single=0.4, longer=0.1, lost=0.2),
    Stage("large", math.inf, 512, 1, 3, 2, 4e-4, (0.25, 0.5, 0.25), single=0.4, longer=0.15, lost=0.2, windows=0.05),
)
