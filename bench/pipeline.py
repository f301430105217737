"""Compares the whole pipeline, photos in, alpha PNGs out, with a naive one on the same photos and weights.

    python3 vendor_setup bench pipeline [--photos 12] [--size 6000x9000] [--checkpoint sam2.1_hiera_tiny]
        [--objects 1] [--memory sam2] [--precision auto] [--device cuda]
        [--table FILE] [--save]

Naive: Pillow decodes, an unmodified SAM2VideoPredictor tracks in float32, its full-size logits are thresholded, Pillow
saves RGBA. Ours: the engine's `run` without Refine Edges, as the naive pipeline does not refine either (random weights
give mattes that are edges all over, unlike any footage; `bench edges` measures the cost of refining). Each is a process
of its own that reports the time of its stages; *start* is the rest: Python and torch. Without the checkpoint's file the
weights are random, on which speed and memory do not depend. *CPU* is the processor time of all threads per photo, which
other processes disturb less than wall-clock time.

On a GPU, the naive pipeline mostly waits for saving, which says nothing about the GPU. So there upstream only loads and
tracks, as its `vos_optimized` in bfloat16, compiled beforehand, to be compared with our tracking (which also reads the
photos meanwhile). Ours runs first, so it is measured even if upstream's can't be compiled. How busy the GPU is, is
measured in another run of tracking.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, get_args

from addon.checkpoints import OFFICIAL
from addon.contract.job import Job
from addon.contract.job_types import Footage, MatteObject, MemoryRule, Model, Point, Precision, Prompt

from . import _charts
from ._common import Run, links, measure, model_files, photos, upstream_predictor, weights_in_words
from ._gpu import Busy, add_row

_DIFFERENT = 12  # photos that differ; more are links to these
_COMPILED = 24  # frames after which upstream's parts are compiled for all lengths of its memory


def main() -> int:
    """Print the comparison."""
    parser = argparse.ArgumentParser(prog="bench pipeline", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--photos", type=int, default=12)
    parser.add_argument("--size", default="6000x9000", help="WIDTHxHEIGHT")
    parser.add_argument("--checkpoint", default="sam2.1_hiera_tiny", choices=["embedded", *OFFICIAL])
    parser.add_argument("--objects", type=int, default=1)
    parser.add_argument("--memory", default="sam2", choices=get_args(MemoryRule), help="ours; the naive way's is sam2")
    parser.add_argument(
        "--precision", default=["auto"], nargs="+", choices=get_args(Precision), help="ours, in each of these"
    )
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--table", type=Path, help="add the rows to this Markdown file")
    _charts.add_option(parser)
    options = parser.parse_args()
    width, height = (int(side) for side in options.size.split("x"))
    is_gpu = options.device == "cuda"
    rival = "vos_optimized" if is_gpu else "naive"
    by_row: dict[str, dict[str, float]] = {}
    runs: dict[str, Run] = {}
    tracked: dict[str, float] = {}  # a photo, with loading
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        different = photos(room / "different", min(options.photos, _DIFFERENT), width, height)
        folder = links(sorted(different.iterdir()), room / "photos", options.photos)
        config, weights = model_files(options.checkpoint, room)
        checkpoint = weights_in_words(options.checkpoint, weights)
        print(
            f"{options.photos} photos of {width} x {height}, {checkpoint}, {options.objects} object(s), "
            f"{options.device}"
        )
        print(f"{'':16}{'s / photo':>12}{'CPU':>8}{'peak MB':>10}{'MB / PNG':>10}   of which", flush=True)
        theirs = ["--naive", options.device, options.objects, folder, config, weights, room / rival]
        commands = {rival: theirs}
        for precision in options.precision:
            row = "ours" if precision == "auto" else f"ours, {precision}"
            choice = Model(str(weights), str(config), trust=True, device=options.device, precision=precision)
            job = _job(folder, width, height, options.objects, choice, options.memory, room / row)
            path = room / f"{row}.json"
            path.write_text(job.to_json(), encoding="utf-8")
            commands[row] = ["--ours", path]
        if is_gpu:  # what can't be compiled may not keep ours from being measured
            commands[rival] = commands.pop(rival)
        for row, arguments in commands.items():
            try:
                run = runs[row] = measure(["-m", "bench.pipeline", *map(str, arguments)])
            except SystemExit as failed:
                if row != "vos_optimized":
                    raise
                print(f"{row:16} did not run: {failed}", flush=True)
                continue
            told = json.loads(run.output.strip().splitlines()[-1])
            stages, whole = told["stages"], run.seconds - told.get("watched", 0.0)
            stages = {"start": whole - sum(stages.values())} | stages
            by_row[row] = {stage: taken / options.photos for stage, taken in stages.items()}
            parts = ", ".join(f"{stage} {taken:.3f}" for stage, taken in by_row[row].items())
            if "busy" in told:
                parts += f"; GPU busy {told['busy']:.0%} while tracking"
            cpu = run.cpu / options.photos
            size = sum(f.stat().st_size for f in (room / row).rglob("*.png")) / options.photos / 1e6
            print(
                f"{row:16}{whole / options.photos:12.2f}{cpu:8.2f}{run.peak / 1e6:10.0f}{size:10.1f}   {parts}",
                flush=True,
            )
            tracked[row] = by_row[row]["track"] + by_row[row].get("load", 0.0)
            if options.table:
                columns = {
                    "checkpoint": checkpoint,
                    "objects": str(options.objects),
                    "memory": "sam2" if row == rival else options.memory,
                    "": row,
                    "s / photo, load and track": f"{tracked[row]:.3f}",
                    "GPU busy": f"{told['busy']:.0%}" if "busy" in told else "",
                }
                add_row(options.table, f"Photos of {width} x {height}", columns)
    for row in [row for row in by_row if row != rival] if rival in by_row else ():
        if is_gpu:
            print(f"{row} tracks {tracked[rival] / tracked[row]:.2f} times as fast")
        else:
            faster, by_cpu = runs[rival].seconds / runs[row].seconds, runs[rival].cpu / runs[row].cpu
            print(f"{row} is {faster:.1f} times as fast, start-up included (by processor seconds {by_cpu:.1f})")
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


def _places(objects: int, width: int, height: int) -> list[tuple[float, float]]:
    """Return where each object is clicked on, (x, y) in pixels."""
    return [(width * (number + 1) / (objects + 1), height / 2) for number in range(objects)]


def _job(folder: Path, width: int, height: int, objects: int, model: Model, memory: MemoryRule, output: Path) -> Job:
    files = tuple(str(path) for path in sorted(folder.iterdir()))
    return Job(
        Footage(files, width, height, len(files)),
        tuple(
            MatteObject(f"subject {number}", (Prompt(1, (Point(*place),)),))
            for number, place in enumerate(_places(objects, width, height))
        ),
        model=model,
        memory=memory,
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

    job = Job.load(path)
    session = Session(on_progress, lambda: False)
    tracked, _ = session.export(job)
    told: dict[str, Any] = {"stages": {"track": tracked.seconds, "export": ended["export"] - ended["track"]}}
    if job.model.device == "cuda":
        began = time.monotonic()
        with Busy() as busy:
            session.track(dataclasses.replace(job, output=f"{job.output}-watched"))
        told |= {"busy": busy.share, "watched": time.monotonic() - began}
    print(json.dumps(told))


def _naive(device: str, objects: int, folder: Path, config: Path, weights: Path, output: Path) -> None:
    import numpy as np
    import torch
    from PIL import Image

    output.mkdir()
    seconds = dict.fromkeys(("load", "track", "save"), 0.0)
    is_gpu = device == "cuda"
    predictor = upstream_predictor(config, weights, compiled=is_gpu).to(device)
    with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=is_gpu):
        began = time.monotonic()
        state = predictor.init_state(str(folder))
        seconds["load"] = time.monotonic() - began

        def prompt() -> None:
            for number, place in enumerate(_places(objects, state["video_width"], state["video_height"])):
                predictor.add_new_points_or_box(state, 0, number, points=[list(place)], labels=[1])

        prompt()
        if is_gpu:  # compiling is not what is measured
            for _ in itertools.islice(predictor.propagate_in_video(state), _COMPILED):
                pass
            predictor.reset_state(state)
            prompt()
        files = sorted(folder.iterdir())
        masks = []  # as upstream's notebook does: collect all masks first, then use them
        began = time.monotonic()
        for index, _, logits in predictor.propagate_in_video(state):
            masks.append((index, (logits > 0).any(0)[0].cpu().numpy()))
        seconds["track"] = time.monotonic() - began
    if is_gpu:
        del seconds["save"]
        masks = []
    began = time.monotonic()
    for index, mask in masks:
        with Image.open(files[index]) as photo:
            rgba = photo.convert("RGB")
        rgba.putalpha(Image.fromarray(mask.astype(np.uint8) * 255))
        rgba.save(output / f"{files[index].stem}.png")
    if not is_gpu:
        seconds["save"] = time.monotonic() - began
    print(json.dumps({"stages": seconds}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--naive"]:
        _naive(sys.argv[2], int(sys.argv[3]), *(Path(path) for path in sys.argv[4:8]))
    elif sys.argv[1:2] == ["--ours"]:
        _ours(Path(sys.argv[2]))
    else:
        sys.exit(main())
