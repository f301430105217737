"""Peak memory against the number of frames: ours, and upstream's as the baseline, on the same frames and weights.

    python3 vendor_setup bench memory [FOLDER] [--frames 50 200]

Every PNG that ours wrote is compared with its plate and with the matte store, value by value. Each row is a process
of its own; its peak is what the operating system says of it (ru_maxrss, POSIX only). Ours tracks
both ways from a prompt in the middle and exports a version; upstream loads the folder and propagates both ways.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from addon.checkpoints import EMBEDDED_CONFIG
from addon.engine.matte import union
from addon.engine.session import Session
from addon.job import Footage, Job, MatteObject, Point, Prompt

from ._common import demo_frames, links, measure, upstream_predictor


def main() -> int:
    """Print the table; returns 1 where ours grows by more than 10 %."""
    parser = argparse.ArgumentParser(prog="bench memory", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, nargs="?", help="JPEGs of one size; default: the first demo clip")
    parser.add_argument("--frames", type=int, nargs=2, default=(50, 200), metavar=("FEW", "MANY"))
    options = parser.parse_args()
    files = sorted(options.folder.glob("*.jpg")) if options.folder else demo_frames()
    peaks: dict[tuple[str, int], int] = {}
    with tempfile.TemporaryDirectory() as room:
        for count in options.frames:
            frames = links(files, Path(room) / f"{count}", count)
            job = _job(frames, Path(room) / f"mattes{count}")
            ours = measure(["-m", "addon.engine", "run", str(job)])
            peaks["ours", count] = ours.peak
            checked = _check(job, Path(ours.output.splitlines()[-1]))
            print(f"{checked} frames checked: RGB is the plate's, alpha the store's, value by value")
            peaks["upstream", count] = measure(["-m", "bench.memory", "--upstream", str(frames)]).peak
    few, many = options.frames
    print(f"{'peak MB':>10} {f'{few} frames':>12} {f'{many} frames':>12} {'ratio':>7}")
    for name in ("ours", "upstream"):
        low, high = peaks[name, few], peaks[name, many]
        print(f"{name:>10} {low / 1e6:12.0f} {high / 1e6:12.0f} {high / low:7.3f}")
    return int(peaks["ours", many] > 1.1 * peaks["ours", few])


def _job(frames: Path, output: Path) -> Path:
    files = tuple(str(path) for path in sorted(frames.iterdir()))
    with Image.open(files[0]) as image:
        width, height = image.size
    middle = Prompt(len(files) // 2, (Point(width / 2, height / 2),))
    footage = Footage(files, width, height, len(files))
    job = Job(footage, (MatteObject("subject", (middle,)),), output=str(output))
    path = output.with_suffix(".json")
    path.write_text(job.to_json(), encoding="utf-8")
    return path


def _check(job_file: Path, version: Path) -> int:
    """Compare a version with plates and store; how many frames. Raises AssertionError where they differ."""
    job = Job.load(job_file)
    takes = Session(lambda *_: None, lambda: False).track(job).takes
    for frame in job.frames:
        plate = Path(job.footage.files[frame - 1])
        with Image.open(plate) as source, Image.open(version / f"{plate.stem}.png") as result:
            rgba = np.asarray(result)
            assert np.array_equal(rgba[..., :3], np.asarray(source.convert("RGB"))), plate
        mattes = [take.matte(frame) for take in takes.values()]
        alpha = union((each.logits for each in mattes if each), job.footage.width, job.footage.height)
        assert np.array_equal(rgba[..., 3], alpha), plate
    return len(job.frames)


def _upstream(frames: Path) -> None:
    import torch

    predictor = upstream_predictor(EMBEDDED_CONFIG, None)  # memory does not depend on the weights
    with torch.inference_mode():
        state = predictor.init_state(str(frames))
        middle = state["num_frames"] // 2
        predictor.add_new_points_or_box(state, middle, 1, points=[[480.0, 270.0]], labels=[1])
        for reverse in (False, True):
            for _ in predictor.propagate_in_video(state, reverse=reverse):
                pass


if __name__ == "__main__":
    if sys.argv[1:2] == ["--upstream"]:
        _upstream(Path(sys.argv[2]))
    else:
        sys.exit(main())
