"""Finds what a Job asks for, with a few points and at limits at which masks of random weights survive.

    python tests/blender/find_loosely.py JOB.json

With the engine's Python. What is found lies where the engine looks for it: the Job's own parameters are not changed.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from addon.engine.automatic import everything, promptless
from addon.engine.automatic.masks import Settings, point_grid
from addon.engine.session import Session
from addon.job import Job

LOOSE = Settings(
    points_per_side=2, pred_iou_thresh=0.3, stability_score_thresh=0.1, stability_score_offset=0.02, mask_threshold=0.12
)

promptless.Settings = lambda: LOOSE  # type: ignore[misc, assignment]
promptless.point_grid = lambda side: point_grid(2)
everything.Settings = lambda **_: LOOSE  # type: ignore[misc, assignment]
Session(lambda *_: None, lambda: False).track(Job.load(Path(sys.argv[1])))
