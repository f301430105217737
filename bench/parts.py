"""Measures the seconds per frame of tracked parts, by stage: python3 vendor_setup bench parts

It uses the demo's clip, or FOOTAGE, at its own size, with the pipeline's default values unless told otherwise. For
comparison: the pipeline that this one follows took about 20 s per frame (708 frames in 4 hours, on a GPU).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from addon.checkpoints import OFFICIAL
from addon.contract.automatic import Parts
from addon.contract.job import Job
from addon.contract.job_types import Footage, Model
from addon.engine.automatic.parts import PartSearch
from addon.engine.footage.footage import Reader, scan
from addon.engine.sam2 import model

from ._common import demo_frames

_PARAMETERS = ("points_per_side", "pred_iou_thresh", "stability_score_thresh")


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="bench parts", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("footage", type=Path, nargs="?", help="default: the demo's clip")
    parser.add_argument("--frames", type=int, default=11, help="number of frames, from the start of the clip")
    parser.add_argument("--checkpoint", default="embedded", choices=["embedded", *OFFICIAL])
    for name in _PARAMETERS:
        default = getattr(Parts(), name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    options = parser.parse_args()
    footage, _ = scan((options.footage or demo_frames()[0].parent).absolute())
    count = min(options.frames, footage.frame_count)
    search = Parts(**{name: getattr(options, name) for name in _PARAMETERS})
    with tempfile.TemporaryDirectory() as room:
        job = _job(footage, count, room, search, options.checkpoint)
        source = model.find(job.model)
        loaded = model.load(source)
        began = time.perf_counter()
        run = PartSearch(job, search, Reader(job.footage), Path(room) / "parts")
        found = run.run(loaded, lambda *_: None, lambda: False)
        seconds = time.perf_counter() - began
        on_frames = found.ids(job.frames)
    print(f"{source}, {count} frames of {footage.width} x {footage.height}")
    print(f"{len(on_frames)} parts, {sum(on_frames.values()) / count:.1f} per frame")
    print(f"{'s a frame':>18} {seconds / count:8.2f}")
    for name, spent in run.seconds.items():
        print(f"{name:>18} {spent / count:8.2f}  {spent / seconds:.0%}")
    rest = seconds - sum(run.seconds.values())
    print(f"{'the rest':>18} {rest / count:8.2f}  {rest / seconds:.0%}")
    return 0


def _job(footage: Footage, count: int, room: str, search: Parts, checkpoint: str) -> Job:
    return Job(
        footage,
        (),
        model=Model(checkpoint),
        frame_range=(1, count),
        output=room,
        target="segments",
        parts=search,
    )


if __name__ == "__main__":
    sys.exit(main())
