"""Measures peak memory against the number of frames, ours and upstream's, on the same frames and weights.

    python3 vendor_setup bench memory [FOLDER | --size 6000x9000] [--frames 50 200] [--objects 3] [--ours-alone]
                                      [--save]

Our PNGs are compared with plate and matte store, value by value. Each row is a process of its own; its peak is the
operating system's ru_maxrss (POSIX only). Ours tracks both ways from a prompt in the middle and exports a version;
upstream, the baseline, loads the folder and propagates both ways; "model alone" loads torch and the weights.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from addon.checkpoints import EMBEDDED_CONFIG
from addon.contract.job import Job
from addon.contract.job_types import Footage, MatteObject, Model, Point, Prompt
from addon.engine.footage.images import to_8_bit
from addon.engine.matting.guided_refine import refine
from addon.engine.matting.upsample import union
from addon.engine.sam2 import model
from addon.engine.session import Session

from . import _charts
from ._common import demo_frames, links, measure, photos, upstream_predictor

_PHOTOS = 12  # photos that differ; the others are links to them
_CHECKED = 24  # frames, evenly spread


def main() -> int:
    """Print the table; return 1 if our memory grows by more than 10 %."""
    parser = argparse.ArgumentParser(prog="bench memory", description=__doc__.splitlines()[0] if __doc__ else None)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("folder", type=Path, nargs="?", help="JPEGs of one size; default: the first demo clip")
    source.add_argument("--size", metavar="WIDTHxHEIGHT", help="generate photos of this size, and links to them")
    parser.add_argument("--frames", type=int, nargs=2, default=(50, 200), metavar=("FEW", "MANY"))
    parser.add_argument("--objects", type=int, default=1)
    parser.add_argument(
        "--ours-alone", action="store_true", help="leave out upstream, which takes hours for large photos"
    )
    _charts.add_option(parser)
    options = parser.parse_args()
    rows = ["ours"] if options.ours_alone else ["ours", "upstream"]
    peaks: dict[tuple[str, int], int] = {}
    alone = measure(["-m", "bench.memory", "--model"]).peak
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        if options.size:
            width, height = (int(side) for side in options.size.split("x"))
            files = sorted(photos(room / "photos", _PHOTOS, width, height).iterdir())
        else:
            files = sorted(options.folder.glob("*.jpg")) if options.folder else demo_frames()
        for count in options.frames:
            frames = links(files, room / f"{count}", count)
            job = _job(frames, options.objects, room / f"mattes{count}")
            ours = measure(["-m", "addon.engine", "run", str(job)])
            peaks["ours", count] = ours.peak
            checked = _check(job, Path(ours.output.splitlines()[-1]))
            print(f"{checked} frames checked: RGB is the plate's, alpha the store's, value by value", flush=True)
            shutil.rmtree(room / f"mattes{count}")
            if "upstream" in rows:
                arguments = ["-m", "bench.memory", "--upstream", str(frames), str(options.objects)]
                peaks["upstream", count] = measure(arguments).peak
    few, many = options.frames
    print(f"{options.objects} object(s); model alone {alone / 1e6:.0f} MB")
    print(f"{'peak MB':>10} {f'{few} frames':>12} {f'{many} frames':>12} {'ratio':>7} {'over model alone':>17}")
    for row in rows:
        low, high = peaks[row, few], peaks[row, many]
        print(f"{row:>10} {low / 1e6:12.0f} {high / 1e6:12.0f} {high / low:7.3f} {(high - alone) / 1e6:17.0f}")
    if options.save:
        name = f"memory-{options.size}" if options.size else "memory"
        flags = "".join(f" {argument}" for argument in sys.argv[1:])
        baseline = {"torch and the model alone": [round(alone / 1e6)] * 2}
        _charts.Chart(
            title=f"Peak memory, {options.size or 'small frames'}, {options.objects} object(s)",
            command=f"python3 vendor_setup bench memory{flags}",
            machine=_charts.machine(),
            kind="lines",
            x="frames",
            y="MB",
            at=options.frames,
            series=baseline | {row: [round(peaks[row, n] / 1e6) for n in (few, many)] for row in reversed(rows)},
        ).save(name)
    return int(peaks["ours", many] > 1.1 * peaks["ours", few])


def _job(frames: Path, objects: int, output: Path) -> Path:
    files = tuple(str(path) for path in sorted(frames.iterdir()))
    with Image.open(files[0]) as image:
        width, height = image.size
    footage = Footage(files, width, height, len(files))
    subjects = (
        MatteObject(f"subject {i + 1}", (Prompt(len(files) // 2, (Point(width * x, height / 2),)),))
        for i, x in enumerate(_places(objects))
    )
    job = Job(footage, tuple(subjects), memory="sam2", output=str(output))
    path = output.with_suffix(".json")
    path.write_text(job.to_json(), encoding="utf-8")
    return path


def _places(objects: int) -> list[float]:
    """Return where the objects are marked, as fractions of the width."""
    return [(i + 1) / (objects + 1) for i in range(objects)]


def _check(job_file: Path, version: Path) -> int:
    """Compare a version with plates and store; return the number of frames. Raises AssertionError where they differ."""
    job = Job.load(job_file)
    takes = Session(lambda *_: None, lambda: False).track(job).takes
    frames = job.frames[:: max(1, len(job.frames) // _CHECKED)]
    for frame in frames:
        plate = Path(job.footage.files[frame - 1])
        with Image.open(plate) as source, Image.open(version / f"{plate.stem}.png") as result:
            rgba, rgb = np.asarray(result), np.asarray(source.convert("RGB"))
            assert np.array_equal(rgba[..., :3], rgb), plate
        mattes = [found.logits for take in takes.values() if (found := take.matte(frame))]
        if job.refining == "filter":
            alpha = np.max([refine(logits, rgb, to_8_bit) for logits in mattes], 0)
        else:
            alpha = union(mattes, job.footage.width, job.footage.height)
        assert np.array_equal(rgba[..., 3], alpha), plate
    return len(frames)


def _upstream(frames: Path, objects: int) -> None:
    import torch

    predictor = upstream_predictor(EMBEDDED_CONFIG, None)  # memory does not depend on the weights
    with torch.inference_mode():
        state = predictor.init_state(str(frames))
        middle, width, height = state["num_frames"] // 2, state["video_width"], state["video_height"]
        for i, x in enumerate(_places(objects)):
            predictor.add_new_points_or_box(state, middle, i + 1, points=[[width * x, height / 2]], labels=[1])
        for reverse in (False, True):
            for _ in predictor.propagate_in_video(state, reverse=reverse):
                pass


if __name__ == "__main__":
    if sys.argv[1:2] == ["--upstream"]:
        _upstream(Path(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[1:2] == ["--model"]:
        model.load(model.find(Model()))
    else:
        sys.exit(main())
