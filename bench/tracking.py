"""Measures J&F of each memory policy on clips that lose their subject, and on DAVIS: python3 vendor_setup bench
tracking

The first frame's true matte is the prompt, as in DAVIS's semi-supervised task; the first and the last frame do not
count. *Worst* is the mean J of the worst tenth of the frames, *after hiding* that of the frames after the subject was
hidden or away (1 if there is nothing and nothing is found). Everything is seeded; any checkpoint can be measured.
Seconds are the processor's; the first policy of a clip also encodes its images, which the others reuse.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import torch

from addon.contract.job import Job
from addon.contract.job_types import Footage, Mask, MatteObject, MemoryRule, Model, Prompt
from addon.engine.matting.upsample import union
from addon.engine.session import Session

from ._clips import QualityClip, davis_clips
from ._davis import boundary_f, jaccard
from ._hiding import hiding_clips

_SAME = 0.003  # J&F: largest loss of a clip by the default policy


def job_of(clip: QualityClip, model: Model, folder: Path) -> Job:
    """Return the clip's Job, prompted with its first true matte."""
    height, width = clip.matte(0).shape
    mask = folder / "first.png"
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(mask), clip.matte(0).astype(np.uint8) * 255)
    return Job(
        Footage(tuple(map(str, clip.pictures)), width, height, len(clip.pictures)),
        (MatteObject("subject", (Prompt(1, mask=Mask(file=str(mask))),)),),
        model,
        output=str(folder / "mattes"),
        target="",
    )


def measure(clip: QualityClip, job: Job, session: Session) -> dict[str, float]:
    """Track the clip with the Job's memory policy and measure the result."""
    began = time.process_time()
    take = session.track(job).takes["subject"]
    seconds = time.process_time() - began
    j, f, visible = [], [], []
    for frame in job.frames[1:-1]:
        truth = clip.matte(frame - 1)
        found = union([take.tracked(frame).logits], job.footage.width, job.footage.height) > 0
        j.append(jaccard(found, truth))
        f.append(boundary_f(found, truth))
        visible.append(bool(truth.any()))
    worst = np.sort(j)[: max(1, len(j) // 10)]
    figures = {"J&F": float(np.mean(j) + np.mean(f)) / 2, "worst": float(np.mean(worst)), "seconds": seconds / len(j)}
    if not all(visible):
        back = len(visible) - visible[::-1].index(False)
        if back < len(j):
            figures["after hiding"] = float(np.mean(j[back:]))
    return figures


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="bench.tracking", description=__doc__)
    parser.add_argument("--checkpoint", default="embedded", metavar="NAME", help="default: %(default)s")
    parser.add_argument("--memory", action="append", choices=get_args(MemoryRule), help="only this policy")
    parser.add_argument("--clip", action="append", help="only this clip; may be given again")
    parser.add_argument("--frames", type=int, default=110, help="frames of each drawn clip; default: %(default)s")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--davis", type=Path, help="folder of DAVIS 2016")
    parser.add_argument("--no-davis", action="store_true")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--folder", type=Path, help="folder in which to keep clips and mattes; default: they are not kept"
    )
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    rules: list[MemoryRule] = options.memory or list(get_args(MemoryRule))
    session = Session(lambda *_: None, lambda: False)
    numbers: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as room:
        folder = options.folder or Path(room)
        clips = hiding_clips(folder, options.frames, options.seed)
        clips += [] if options.no_davis else davis_clips(options.davis)
        print(f"{'clip':18}{'memory':10}{'J&F':>7}{'worst':>7}{'after hiding':>14}{'s a frame':>11}", flush=True)
        for clip in clips:
            if options.clip and clip.name not in options.clip:
                continue
            job = job_of(clip, Model(options.checkpoint, device=options.device), folder / f"{clip.name}-job")
            for rule in rules:
                found = measure(clip, dataclasses.replace(job, memory=rule), session)
                numbers.setdefault(clip.name, {})[rule] = found
                after = f"{found['after hiding']:14.3f}" if "after hiding" in found else " " * 14
                line = f"{clip.name:18}{rule:10}{found['J&F']:7.3f}{found['worst']:7.3f}{after}"
                print(f"{line}{found['seconds']:11.2f}", flush=True)
    for rule in rules:
        gains = {name: scores[rule]["J&F"] - scores[rules[0]]["J&F"] for name, scores in numbers.items()}
        mean = np.mean([scores[rule]["J&F"] for scores in numbers.values()])
        lost = [name for name, gain in gains.items() if gain < -_SAME]
        loses = f"; loses more than {_SAME} on {', '.join(lost)}" if lost else ""
        print(f"{rule}: J&F {mean:.3f}, {np.mean(list(gains.values())):+.3f} against {rules[0]}{loses}")
    if options.json:
        options.json.write_text(json.dumps(numbers, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
