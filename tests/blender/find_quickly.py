"""Finds what a Job asks for, with few points, since a test has no time for more.

    python tests/blender/find_quickly.py JOB.json

Runs with the engine's Python. The result is where the engine looks for it; the Job's own parameters do not change.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from addon.contract.job import Job
from addon.engine.automatic import parts, things
from addon.engine.automatic.masks import Settings, point_grid
from addon.engine.session import Session

things.point_grid = lambda side: point_grid(4)
parts.Settings = lambda **wish: Settings(**wish | {"points_per_side": 4})  # type: ignore[misc, assignment]
Session(lambda *_: None, lambda: False).track(Job.load(Path(sys.argv[1])))
