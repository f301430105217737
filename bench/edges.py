"""Compares Refine Edges with bilinear upsampling at native resolution: accuracy at edges and thin parts, and cost.

    python3 vendor_setup bench edges [--scene NAME] [--size 3000x2000] [--checkpoint NAME]
                                     [--no-davis | --no-scenes] [--without-windows] [--save]

Ground truth: scenes of thin things, rendered by Blender on first use (into work/edges, some minutes each), and frames
of DAVIS 2016, if it is there. DAVIS is small, so its logit grid is made as coarse as 256 logits on 3000 px.

There are three kinds of coarse mattes. *Ideal*: the truth reduced to the model's grid; each logit is that of the
fraction of its cell that the subject covers, which no model can surpass. *Displaced*: the same for a truth whose edges
wander by half a logit, as a model's do. *By a checkpoint* (the embedded one): its answer to a box and three clicks.
Frames whose coarse matte has an IoU of at least 0.75 are also summed up apart: where it is wrong altogether, no edge
can be right.

Figures: IoU; boundary IoU (Cheng et al., "Boundary IoU", CVPR 2021) in bands of 8 and 16 px; the fraction that is found
of the pixels of parts thinner than 12 px.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from addon.contract.job import Job
from addon.contract.job_types import Box, Footage, MatteObject, Model, Point, Prompt
from addon.engine.footage.images import to_8_bit
from addon.engine.matting import upsample
from addon.engine.matting.guided_refine import refine
from addon.engine.matting.window_refine import look_again
from addon.engine.sam2 import model
from addon.engine.session import Session

from . import _charts
from ._clips import Mask, davis_clips, spread_clicks
from ._thin import ROOT, SEEDS, scene

Logits = NDArray[np.float16]
Picture = NDArray[np.uint8]

_GRID = 256
_PITCH = 3000 / 256  # pixels per logit
_THIN = 12  # pixels
_ENOUGH = 100  # fewer thin pixels than that are not reported
_RIGHT = 0.75  # lowest IoU of a coarse matte that is wrong at its edges only
Way = Callable[[Logits, Picture], Picture]


def ways(loaded: model.Loaded | None) -> dict[str, Way]:
    """Return the ways to bring a coarse matte to the plate's size by name; the baseline comes first."""

    def bilinear(logits: Logits, picture: Picture) -> Picture:
        return upsample.union([logits], picture.shape[1], picture.shape[0])

    def filtered(logits: Logits, picture: Picture) -> Picture:
        return refine(logits, picture, to_8_bit)

    found: dict[str, Way] = {"bilinear": bilinear, "filter": filtered}
    if loaded is not None:

        def in_windows(logits: Logits, picture: Picture) -> Picture:
            with loaded.computing():
                finer = look_again(loaded.predictor, logits, picture, to_8_bit)
            return refine(finer, picture, to_8_bit, cells=logits.shape)

        found["windows"] = in_windows
    return found


def ideal(truth: Mask, columns: int, rows: int) -> Logits:
    """Return the best logits (rows, columns) for a matte (H, W)."""
    share = cv2.resize(truth.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    share = np.clip(share, 0.01, 0.99)
    return np.asarray(np.log(share / (1 - share)), np.float16)


def displaced(truth: Mask, pitch: float) -> Mask:
    """Move the edges of a matte (H, W) by half a logit (standard deviation), consistently over some logits."""
    rng, (height, width) = np.random.default_rng(0), truth.shape
    coarse = rng.normal(size=(2, max(2, round(height / (4 * pitch))), max(2, round(width / (4 * pitch)))))
    shifts = [
        cv2.resize(axis.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC) * np.float32(pitch / 2)
        for axis in coarse
    ]
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.asarray(cv2.remap(truth.astype(np.uint8), xs + shifts[0], ys + shifts[1], cv2.INTER_NEAREST)) > 0


def tracked(file: Path, truth: Mask, checkpoint: str) -> Logits:
    """Return a checkpoint's logits for a box and three clicks on the true matte of a picture."""
    height, width = truth.shape
    ys, xs = np.nonzero(truth)
    box = Box(float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1))
    clicks = tuple(Point(x, y) for x, y, _ in spread_clicks(truth, 3))
    with tempfile.TemporaryDirectory() as folder:
        marked = MatteObject("subject", (Prompt(1, clicks, box),))
        footage = Footage((str(file.resolve()),), width, height, 1)
        job = Job(footage, (marked,), Model(checkpoint), output=folder, target="")
        found = Session(lambda *_: None, lambda: False).track(job).takes["subject"].matte(1)
    assert found is not None
    return found.logits


def figures(result: Mask, truth: Mask) -> tuple[float, float, float, float]:
    """Return IoU, boundary IoU at 8 and 16 px, and the recall of thin parts (NaN if there is hardly any)."""
    thin = _thin(truth)
    found = float(np.mean(result[thin])) if thin.sum() >= _ENOUGH else float("nan")
    near, far = (_iou(_rim(result, width), _rim(truth, width)) for width in (8, 16))
    return _iou(result, truth), near, far, found


def _iou(one: Mask, other: Mask) -> float:
    return float(np.sum(one & other) / max(1.0, float(np.sum(one | other))))


def _depth(mask: Mask) -> NDArray[np.float32]:
    """Return the distance to the outside of the mask; the image's border counts as outside."""
    padded = np.pad(mask.astype(np.uint8), 1)
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1], np.float32)


def _rim(mask: Mask, width: int) -> Mask:
    depth = _depth(mask)
    return (depth > 0) & (depth <= width)


def _thin(mask: Mask) -> Mask:
    """Return the part of a mask that a disc of _THIN px does not fit into."""
    core = _depth(mask) > _THIN / 2
    opened: Mask = _depth(~core) <= _THIN / 2 + 1 if core.any() else core
    return mask & ~opened


def measure(name: str, picture: Picture, truth: Mask, logits: Logits, by_way: dict[str, Way]) -> NDArray[np.float64]:
    """Measure and print one frame; return its figures and seconds, shape (ways, figures)."""
    rows = []
    for way, make in by_way.items():
        began = time.perf_counter()
        result = make(logits, picture)
        seconds = time.perf_counter() - began
        rows.append((*figures(result > 0, truth), seconds))
        iou, near, far, thin, _ = rows[-1]
        print(f"{name:30}{way:10}{iou:8.4f}{near:8.3f}{far:8.3f}{thin:8.3f}{seconds:8.2f}", flush=True)
    return np.array(rows)


def _summary(name: str, all_rows: list[NDArray[np.float64]], by_way: dict[str, Way]) -> NDArray[np.float64]:
    """Print the gains over the baseline; return the means, shape (ways, figures)."""
    rows = np.array(all_rows)  # frames, ways, figures
    mean: NDArray[np.float64] = np.nanmean(rows, axis=0)
    for i, way in enumerate(list(by_way)[1:], 1):
        gain = (mean[i] / mean[0] - 1)[1:4]
        worst = (rows[:, i, 0] - rows[:, 0, 0]).min()
        print(
            f"{name}, {way} against bilinear, {len(rows)} frames: boundary IoU {gain[0]:+.0%} at 8 px, {gain[1]:+.0%} "
            f"at 16 px; thin parts {gain[2]:+.0%}; IoU {mean[i, 0] - mean[0, 0]:+.4f} on average, {worst:+.4f} at "
            f"worst; {(rows[:, i, 0] < rows[:, 0, 0]).sum()} frames lower; {mean[i, -1]:.2f} s a frame"
        )
    return mean


def _rounded(figure: float) -> float | None:
    return None if np.isnan(figure) else round(figure, 3)


def main() -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="bench edges", description="Refine edges against bilinear upsampling.")
    parser.add_argument("--scene", action="append", choices=SEEDS, help="only this one; may be given again")
    parser.add_argument("--size", default="3000x2000", metavar="WxH")
    parser.add_argument("--folder", type=Path, default=ROOT / "work" / "edges", help="of the rendered scenes")
    parser.add_argument(
        "--checkpoint", default="embedded", metavar="NAME", help="checkpoint that also makes coarse mattes"
    )
    without = parser.add_mutually_exclusive_group()
    without.add_argument("--no-davis", action="store_true")
    without.add_argument("--no-scenes", action="store_true", help="measure on DAVIS only, which needs no rendering")
    parser.add_argument("--without-windows", action="store_true", help="the filter alone")
    _charts.add_option(parser)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    by_way = ways(None if options.without_windows else model.load(model.find(Model(options.checkpoint))))
    print(f"{'frame':30}{'way':10}{'IoU':>8}{'B 8':>8}{'B 16':>8}{'thin':>8}{'s':>8}")
    by_kind: dict[str, list[NDArray[np.float64]]] = {}
    for name in [] if options.no_scenes else options.scene or SEEDS:
        file, truth_file = scene(name, width, height, options.folder)
        picture, truth = np.asarray(Image.open(file)), np.asarray(Image.open(truth_file).convert("L")) >= 128
        by_kind.setdefault("scenes, ideal", []).append(
            measure(f"{name} ideal", picture, truth, ideal(truth, _GRID, _GRID), by_way)
        )
        logits = ideal(displaced(truth, width / _GRID), _GRID, _GRID)
        by_kind.setdefault("scenes, displaced", []).append(measure(f"{name} displaced", picture, truth, logits, by_way))
        logits = tracked(file, truth, options.checkpoint)
        found = measure(f"{name} {options.checkpoint}", picture, truth, logits, by_way)
        by_kind.setdefault(f"scenes, {options.checkpoint}", []).append(found)
    for clip in [] if options.no_davis else davis_clips(kept_out=False):
        for i in range(0, len(clip.pictures), 20):
            picture, truth = np.asarray(Image.open(clip.pictures[i])), clip.matte(i)
            columns, rows = (round(side / _PITCH) for side in (truth.shape[1], truth.shape[0]))
            for kind, drawn in (("ideal", truth), ("displaced", displaced(truth, _PITCH))):
                logits = ideal(drawn, columns, rows)
                found = measure(f"{clip.name} {i} {kind}", picture, truth, logits, by_way)
                by_kind.setdefault(f"DAVIS, {kind}", []).append(found)
            logits = tracked(clip.pictures[i], truth, options.checkpoint)
            found = measure(f"{clip.name} {i} {options.checkpoint}", picture, truth, logits, by_way)
            by_kind.setdefault(f"DAVIS, {options.checkpoint}", []).append(found)
    for kind, rows in list(by_kind.items()):
        right = [row for row in rows if row[0, 0] >= _RIGHT]
        if 0 < len(right) < len(rows):
            by_kind[f"{kind}, IoU >= {_RIGHT}"] = right
    means = {f"{kind} ({len(rows)})": _summary(kind, rows, by_way) for kind, rows in by_kind.items()}
    if options.save:
        for name, title, figure in (("edges", "Boundary IoU at 8 px", 1), ("edges-thin", "Thin parts found", 3)):
            _charts.Chart(
                title=f"{title}, mean (frames)",
                command="python3 vendor_setup bench edges --save",
                machine=_charts.machine(),
                kind="bars",
                x="",
                y=title.split(" at ")[0],
                at=list(means),
                series={way: [_rounded(m[i, figure]) for m in means.values()] for i, way in enumerate(by_way)},
            ).save(name)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
