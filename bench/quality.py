"""Measures mattes against ground truth: J, F and J&F per clip and prompt, as DAVIS does. python -m bench.quality

Prompts are on the first frame only, except in "correction": one click into the worst frame of the three-click run,
after which the clip is propagated again. The first and the last frame do not count, as in DAVIS.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from . import _charts
from ._clips import Mask, Point, QualityClip, davis_clips, rendered_clips, spread_clicks
from ._common import upstream_predictor
from ._davis import boundary_f, jaccard

HERE = Path(__file__).resolve().parent.parent
CHECKPOINTS = HERE / "addon" / "checkpoints"
WAYS = ("1 click", "3 clicks", "box", "mask", "correction")


class Tracker:
    """One clip in sam2's video predictor, which needs a folder of numbered JPEGs."""

    def __init__(self, predictor: Any, clip: QualityClip, size: tuple[int, int]) -> None:
        self.predictor, self.clip, self.size = predictor, clip, size
        with tempfile.TemporaryDirectory() as folder:
            for i, picture in enumerate(clip.pictures):
                (Path(folder) / f"{i:05d}.jpg").symlink_to(picture.resolve())
            self.state = predictor.init_state(folder)

    def clicks(self, frame: int, points: tuple[Point, ...], clear: bool = True) -> None:
        """Put points on a frame (counted from 0)."""
        places, labels = [p[:2] for p in points], [p[2] for p in points]
        self.predictor.add_new_points_or_box(self.state, frame, 1, points=places, labels=labels, clear_old_points=clear)

    def box(self, mask: Mask) -> None:
        """Prompt the first frame with the mask's bounding box."""
        ys, xs = np.nonzero(mask)
        box = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], np.float32)
        self.predictor.add_new_points_or_box(self.state, 0, 1, box=box)

    def mask(self, mask: Mask) -> None:
        """Prompt the first frame with a mask."""
        self.predictor.add_new_mask(self.state, 0, 1, torch.from_numpy(mask))

    def track(self) -> list[Mask]:
        """Track from the first frame to the last; return all mattes."""
        mattes: dict[int, Mask] = {}
        for frame, _, logits in self.predictor.propagate_in_video(self.state, start_frame_idx=0):
            mattes[frame] = (logits[0, 0] > 0).cpu().numpy()
        return [mattes[i] for i in range(len(self.clip.pictures))]

    def reset(self) -> None:
        """Forget all prompts and results."""
        self.predictor.reset_state(self.state)


def _correcting_click(answer: Mask, truth: Mask) -> Point:
    """Return a click at the deepest point of the larger error: a missed part (include) or an excess part (exclude)."""
    missed, surplus = truth & ~answer, answer & ~truth
    wrong, label = (missed, 1) if missed.sum() >= surplus.sum() else (surplus, 0)
    x, y, _ = spread_clicks(wrong, 1)[0]
    return x, y, label


def _scores(mattes: list[Mask], truths: list[Mask]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    inner = range(1, len(truths) - 1)
    return (
        np.array([jaccard(mattes[i], truths[i]) for i in inner]),
        np.array([boundary_f(mattes[i], truths[i]) for i in inner]),
    )


@torch.inference_mode()
def measure(predictor: Any, clip: QualityClip, ways: tuple[str, ...] = WAYS) -> dict[str, dict[str, Any]]:
    """Return J, F, J&F and frames per second for each way of prompting one clip."""
    truths = [clip.matte(i) for i in range(len(clip.mattes))]
    tracker = Tracker(predictor, clip, truths[0].shape)
    result: dict[str, dict[str, Any]] = {}
    for way in ways:
        tracker.reset()
        started = time.perf_counter()
        if way == "box":
            tracker.box(truths[0])
        elif way == "mask":
            tracker.mask(truths[0])
        else:
            tracker.clicks(0, clip.clicks[: 1 if way == "1 click" else 3])
        mattes = tracker.track()
        if way == "correction":
            j, _ = _scores(mattes, truths)
            worst = 1 + int(j.argmin())
            if (mattes[worst] != truths[worst]).any():
                tracker.clicks(worst, (_correcting_click(mattes[worst], truths[worst]),), clear=False)
                mattes = tracker.track()
        seconds = time.perf_counter() - started
        j, f = _scores(mattes, truths)
        entry: dict[str, Any] = {"J": float(j.mean()), "F": float(f.mean()), "J&F": float((j.mean() + f.mean()) / 2)}
        entry["frames a second"] = len(mattes) / seconds if way != "correction" else None
        hidden = [i for i, t in enumerate(truths) if not t.any()]
        if hidden:
            after = [jaccard(mattes[i], truths[i]) for i in range(max(hidden) + 2, len(truths) - 1)]
            entry["J after hiding"] = float(np.mean(after))
            entry["empty while hidden"] = float(np.mean([not mattes[i].any() for i in hidden]))
        result[way] = entry
    return result


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="bench.quality", description=__doc__)
    parser.add_argument("--config", type=Path, default=CHECKPOINTS / "embedded.yaml")
    parser.add_argument("--weights", type=Path, default=CHECKPOINTS / "embedded.pt")
    parser.add_argument("--davis", type=Path, help="folder of DAVIS 2016")
    parser.add_argument("--no-davis", action="store_true")
    parser.add_argument("--clip", action="append", help="only this clip; may be given again")
    parser.add_argument("--way", action="append", choices=WAYS, help="prompt only in this way")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="cpu or cuda; default: %(default)s")
    _charts.add_option(parser)
    a = parser.parse_args(arguments)
    torch.set_num_threads(a.threads)
    started = time.perf_counter()
    predictor = upstream_predictor(a.config, a.weights, add_all_frames_to_correct_as_cond=True).to(a.device)
    print(f"loaded in {time.perf_counter() - started:.2f} s")
    clips = rendered_clips() + ([] if a.no_davis else davis_clips(a.davis))
    numbers: dict[str, Any] = {}
    print(f"{'clip':16}{'prompt':12}{'J':>7}{'F':>7}{'J&F':>7}{'fps':>7}")
    for clip in clips:
        if a.clip and clip.name not in a.clip:
            continue
        numbers[clip.name] = measure(predictor, clip, tuple(a.way or WAYS))
        for way, entry in numbers[clip.name].items():
            fps = f"{entry['frames a second']:7.1f}" if entry["frames a second"] else ""
            extra = "".join(f"  {k} {entry[k]:.3f}" for k in ("J after hiding", "empty while hidden") if k in entry)
            print(
                f"{clip.name:16}{way:12}{entry['J']:7.3f}{entry['F']:7.3f}{entry['J&F']:7.3f}{fps}{extra}", flush=True
            )
    if a.json:
        a.json.write_text(json.dumps(numbers, indent=2) + "\n")
    if a.save:
        _charts.Chart(
            title=f"J&F of {a.weights.stem}",
            command="python3 vendor_setup bench quality --save",
            machine=_charts.machine(),
            kind="bars",
            x="",
            y="J&F",
            at=list(numbers),
            series={w: [round(e[w]["J&F"], 3) if w in e else None for e in numbers.values()] for w in WAYS},
        ).save("quality")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
