"""Photos in, versions of alpha PNGs out: the whole pipeline against the naive one, on the same photos and weights.

    python3 vendor_setup bench pipeline [--photos 12] [--size 6000x9000] [--checkpoint sam2.1_hiera_tiny]
        [--device cuda] [--save]

Naive: Pillow decodes, an unmodified SAM2VideoPredictor tracks in float32, its full-size logits are thresholded, Pillow
saves RGBA. Ours: what the engine's `run` does, with edges not refined, as the naive way doesn't either (random weights
give mattes that are edges all over, which no footage has; `bench edges` says what refining costs). Each is a process of
its own that says how long each of its stages took; *start* is the rest: Python and torch. Speed and memory don't depend
on the weights: without the checkpoint's file they are random.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from addon.checkpoints import OFFICIAL
from addon.contract.job import Job
from addon.contract.job_types import Footage, MatteObject, Model, Point, Prompt

from . import _charts
from ._common import measure, model_files, photos, upstream_predictor


def main() -> int:
    """Print the comparison."""
    parser = argparse.ArgumentParser(prog="bench pipeline", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--photos", type=int, default=12)
    parser.add_argument("--size", default="6000x9000", help="WIDTHxHEIGHT")
    parser.add_argument("--checkpoint", default="sam2.1_hiera_tiny", choices=["embedded", *OFFICIAL])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    _charts.add_option(parser)
    options = parser.parse_args()
    width, height = (int(side) for side in options.size.split("x"))
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        folder = photos(room / "photos", options.photos, width, height)
        config, weights = model_files(options.checkpoint, room)
        choice = Model(str(weights), str(config), device=options.device, trust=True)
        job = _job(folder, width, height, choice, room / "ours")
        path = room / "job.json"
        path.write_text(job.to_json(), encoding="utf-8")
        ours = measure(["-m", "bench.pipeline", "--ours", str(path)])
        theirs = (options.device, folder, config, weights, room / "naive")
        naive = measure(["-m", "bench.pipeline", "--naive", *map(str, theirs)])
        sizes = {kind: sum(f.stat().st_size for f in (room / kind).rglob("*.png")) for kind in ("ours", "naive")}
    print(f"{options.photos} photos of {width} x {height}, {options.checkpoint}, {options.device}")
    print(f"{'':8}{'s a photo':>12}{'peak MB':>10}{'MB a PNG':>10}   of which")
    by_row: dict[str, dict[str, float]] = {}
    for row, run in (("naive", naive), ("ours", ours)):
        stages = json.loads(run.output.strip().splitlines()[-1])
        stages = {"start": run.seconds - sum(stages.values())} | stages
        by_row[row] = {stage: seconds / options.photos for stage, seconds in stages.items()}
        parts = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in by_row[row].items())
        per_photo = run.seconds / options.photos
        print(f"{row:8}{per_photo:12.2f}{run.peak / 1e6:10.0f}{sizes[row] / options.photos / 1e6:10.1f}   {parts}")
    print(f"ours is {naive.seconds / ours.seconds:.1f} times faster, starts included")
    if options.save:
        _charts.Chart(
            title=f"Seconds a photo of {width} x {height}, {options.checkpoint}",
            command="python3 vendor_setup bench pipeline --save",
            machine=_charts.machine(),
            kind="parts",
            x="seconds",
            y="",
            at=list(by_row),
            series={s: [row.get(s) for row in by_row.values()] for row in by_row.values() for s in row},
        ).save("pipeline")
    return 0


def _job(folder: Path, width: int, height: int, model: Model, output: Path) -> Job:
    files = tuple(str(path) for path in sorted(folder.iterdir()))
    return Job(
        Footage(files, width, height, len(files)),
        (MatteObject("subject", (Prompt(1, (Point(width / 2, height / 2),)),)),),
        model=model,
        output=str(output),
        refine="off",
    )


def _ours(path: Path) -> None:
    from addon.engine.sam2.model import make_deterministic
    from addon.engine.session import Session

    make_deterministic()
    ended: dict[str, float] = {}

    def on_progress(stage: str, done: int, total: int, frame: int) -> None:
        ended[stage] = time.monotonic()

    tracked, _ = Session(on_progress, lambda: False).export(Job.load(path))
    print(json.dumps({"track": tracked.seconds, "export": ended["export"] - ended["track"]}))


def _naive(device: str, folder: Path, config: Path, weights: Path, output: Path) -> None:
    import numpy as np
    import torch
    from PIL import Image

    output.mkdir()
    seconds = dict.fromkeys(("load", "track", "save"), 0.0)
    predictor = upstream_predictor(config, weights).to(device)
    with torch.inference_mode():
        began = time.monotonic()
        state = predictor.init_state(str(folder))
        seconds["load"] = time.monotonic() - began
        x, y = state["video_width"] / 2, state["video_height"] / 2
        predictor.add_new_points_or_box(state, 0, 1, points=[[x, y]], labels=[1])
        files = sorted(folder.iterdir())
        masks = []  # as its notebook does: all of them, then what to do with them
        began = time.monotonic()
        for index, _, logits in predictor.propagate_in_video(state):
            masks.append((index, (logits[0, 0] > 0).cpu().numpy()))
        seconds["track"] = time.monotonic() - began
    began = time.monotonic()
    for index, mask in masks:
        with Image.open(files[index]) as photo:
            rgba = photo.convert("RGB")
        rgba.putalpha(Image.fromarray(mask.astype(np.uint8) * 255))
        rgba.save(output / f"{files[index].stem}.png")
    seconds["save"] = time.monotonic() - began
    print(json.dumps(seconds))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--naive"]:
        _naive(sys.argv[2], *(Path(path) for path in sys.argv[3:7]))
    elif sys.argv[1:2] == ["--ours"]:
        _ours(Path(sys.argv[2]))
    else:
        sys.exit(main())
