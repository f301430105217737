"""Measures whether repair mends wrong mattes and leaves right ones alone, on mattes with injected errors.

    python3 vendor_setup bench repair [--turntables DIR] [--davis DIR] [--only NAME] [--seeds N] [--checkpoint NAME]

True mattes, with the edge noise of a tracker, get drop-outs, missing halves, leaks and jumps to another thing, each
some frames long, and are put into the matte store as if they had been tracked; the real engine then reviews and repairs
them (predicted IoU and object score carry no information there). A frame counts as repaired if the IoU of its new matte
is at most 0.03 below that of the good frames beside it. Right frames are those without an injected error.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from addon.contract.job import Job
from addon.contract.job_types import Footage, MatteObject, Model, Point, Prompt
from addon.engine.footage.footage import Reader
from addon.engine.review.repair import with_repairs
from addon.engine.sam2 import model
from addon.engine.sam2.prompting import mask_input
from addon.engine.session import Session
from addon.engine.store.matte_store import Matte, Store
from addon.engine.tracking.propagate import takes

from ._clips import Mask, davis_clips, rendered_clips
from ._davis import jaccard
from ._errors import ERRORS
from .hull import footage_of, shaken, true_mattes, turntable

KINDS = ("drop-out", "half missing", "leak", "swapped")
SUBJECTS = ("stool", "suzanne", "plant", "chair")
SIZE = "384x288"  # of a turntable
SIDE = 256  # of the stored mattes in pixels
NOISE = 1.0  # standard deviation of their edges in pixels
SPACING, LONGEST = 11, 8  # frames from error to error, and of the longest error
NEAR, HARM = 0.03, 0.01
WRONG = 0.05  # how far the IoU of a wrong frame is below that of the frames beside it


@dataclass(frozen=True, slots=True)
class Clip:
    """Footage, its true mattes, and the camera file if the cameras are known."""

    name: str
    footage: Footage
    truths: list[Mask]
    poses: Path | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """One frame: the injected error (empty: none), true IoU before and after repair and that of the good frames beside
    it, whether it was a suspect, and why no repair was offered.
    """

    kind: str
    before: float
    after: float
    beside: float
    suspect: bool
    offered: bool
    refused: str


def main() -> int:
    """Print what was repaired; return 1 below 8 of 10, or if a right frame gets worse by more than 0.01."""
    parser = argparse.ArgumentParser(prog="bench repair", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--turntables", type=Path, help="folder in which to keep rendered turntables; default: they are not kept"
    )
    parser.add_argument(
        "--turn", type=int, default=100, help="frames of a turntable; default: %(default)s, as for a splat"
    )
    parser.add_argument("--frames", type=int, default=36, help="most frames of other clips; default: %(default)s")
    parser.add_argument(
        "--folder", type=Path, help="folder in which to keep image features between calls; default: they are not kept"
    )
    parser.add_argument("--davis", type=Path, help="folder of DAVIS 2016")
    parser.add_argument("--only", nargs="*", default=[], help="only clips whose names contain one of these")
    parser.add_argument("--seeds", type=int, default=1, help="how often errors are injected into each clip")
    parser.add_argument("--checkpoint", default="embedded")
    options = parser.parse_args()
    kinds: dict[str, list[Judged]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as room:
        for clip in clips(options, Path(room)):
            output = (options.folder or Path(room)) / clip.name
            found = [
                frame for seed in range(options.seeds) for frame in repaired(clip, seed, options.checkpoint, output)
            ]
            kinds["turntables" if clip.poses else "moving subjects"] += found
            say(clip.name, found)
    good = True
    for kind, judged in kinds.items():
        good &= say(kind, judged)
        say_more(judged)
    return int(not good)


def clips(options: argparse.Namespace, room: Path) -> Iterator[Clip]:
    """Yield turntables with their cameras, then the rendered clips and DAVIS without."""

    def wanted(name: str) -> bool:
        return not options.only or any(part in name for part in options.only)

    for number, subject in enumerate(SUBJECTS, 1):
        if wanted(f"turntable {subject}"):
            folder = turntable((options.turntables or room) / subject, subject, number, options.turn, SIZE)
            footage = footage_of(folder)
            yield Clip(f"turntable {subject}", footage, true_mattes(folder), folder / "transforms.json")
    for clip in rendered_clips() + davis_clips(options.davis, kept_out=False):
        if wanted(clip.name):
            truths = [clip.matte(i) for i in range(min(len(clip.mattes), options.frames))]
            height, width = truths[0].shape
            files = tuple(str(picture.resolve()) for picture in clip.pictures[: len(truths)])
            yield Clip(clip.name, Footage(files, width, height, len(truths)), truths)


def repaired(clip: Clip, seed: int, checkpoint: str, output: Path) -> list[Judged]:
    """Inject errors into a clip; the engine reviews and repairs it in the folder `output`."""
    random = np.random.default_rng([seed, *clip.name.encode()])
    truths = [_small(truth) for truth in clip.truths]
    clean = [shaken(truth, random, NOISE, 6) for truth in truths]
    masks, kinds = with_errors(clean, seed, random)
    # the mattes do not come from the prompts, so any prompt will do
    objects = (MatteObject("subject", (Prompt(1, (Point(1, 1),)),)),)
    job = Job(clip.footage, objects, Model(checkpoint), output=str(output))
    take = takes(job, Store(job), Reader(job.footage).fingerprint(), model.find(job.model).facts)["subject"][0]
    shutil.rmtree(take.folder, ignore_errors=True)
    for i, mask in enumerate(masks):
        take.put_matte(i + 1, Matte(np.where(mask, 8, -8).astype(np.float16), 0.9, 8.0))
    session = Session(lambda *_: None, lambda: False)
    repairs = session.repair(job, clip.poses)
    suspects = {frame for run in session.review(job)["subject"] for frame in run.frames}
    new = {prompt.frame: prompt.mask for prompt in with_repairs(job, repairs).objects[0].prompts if prompt.mask}
    refused = {
        frame: refusal.reason
        for refusal in repairs["subject"].refusals
        for frame in range(refusal.first, refusal.last + 1)
    }
    ious = [jaccard(*pair) for pair in zip(clean, truths, strict=True)]
    found = []
    for i, mask in enumerate(masks):
        prompt = new.get(i + 1)
        found.append(
            Judged(
                kinds[i],
                jaccard(mask, truths[i]),
                jaccard(mask if prompt is None else mask_input(prompt, clip.footage, SIDE).numpy(), truths[i]),
                float(np.mean([ious[_next(kinds, i, step)] for step in (-1, 1)])),
                i + 1 in suspects,
                prompt is not None,
                refused.get(i + 1, ""),
            )
        )
    return found


def with_errors(clean: Sequence[Mask], seed: int, random: np.random.Generator) -> tuple[list[Mask], list[str]]:
    """Return mattes with injected errors in some stretches, and the name of each frame's error; empty: none."""
    masks, kinds = list(clean), [""] * len(clean)
    for i, place in enumerate(random.permutation(np.arange(3, len(masks) - 3, SPACING))):
        kind = KINDS[(seed + i) % len(KINDS)]
        inject, (least, most) = ERRORS[kind]
        last = min(len(masks) - 2, int(place) + int(random.integers(least, min(most, LONGEST) + 1)))
        inject(masks, int(place), last, random)
        kinds[place:last] = [kind] * (last - place)
    return masks, kinds


def _small(truth: Mask) -> Mask:
    area = cv2.resize(truth.astype(np.uint8) * 255, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(area >= 128)


def _next(kinds: Sequence[str], index: int, step: int) -> int:
    """Return the nearest frame without an error on one side; if there is none, on the other side."""
    while kinds[index] and 0 <= index + step < len(kinds):
        index += step
    return index


def wrong(frame: Judged) -> bool:
    """Whether an error lowered the IoU noticeably."""
    return bool(frame.kind) and frame.before < frame.beside - WRONG


def near(frame: Judged) -> bool:
    """Whether the new matte is as good as those beside it."""
    return frame.offered and frame.after >= frame.beside - NEAR


def say(name: str, judged: Sequence[Judged]) -> bool:
    """Print a line about wrong and right frames; return whether the result is good enough."""
    bad, right = [frame for frame in judged if wrong(frame)], [frame for frame in judged if not wrong(frame)]
    offered, mended = [frame for frame in bad if frame.offered], [frame for frame in bad if near(frame)]
    harmed = [frame for frame in right if frame.after < frame.before - HARM]

    def mean(values: Iterable[float]) -> str:
        known = list(values)
        return f"{np.mean(known):.3f}" if known else "-"

    print(
        f"{name}: {len(bad)} wrong frames, {sum(frame.suspect for frame in bad)} suspects, {len(offered)} offered, "
        f"{len(mended)} within {NEAR} of those beside ({len(mended) / max(len(bad), 1):.0%} of the wrong, "
        f"{len(mended) / max(len(offered), 1):.0%} of the offered); IoU before {mean(frame.before for frame in bad)}, "
        f"after {mean(frame.after for frame in bad)}, of offers {mean(frame.after for frame in offered)}, beside "
        f"{mean(frame.beside for frame in bad)}. {len(right)} right: {sum(frame.offered for frame in right)} offered, "
        f"{len(harmed)} worse by more than {HARM}",
        flush=True,
    )
    return not harmed and len(mended) >= 0.8 * len(bad)


def say_more(judged: Sequence[Judged]) -> None:
    """Print the results by kind of error, and the reasons why no repair was offered."""
    for kind in KINDS:
        bad = [frame for frame in judged if frame.kind == kind and wrong(frame)]
        if bad:
            print(f"    {kind:14} {len(bad):4} wrong, {sum(map(near, bad)) / len(bad):.0%} repaired")
    reasons = Counter(
        re.sub(r"\(.*|\d+ frames", "", frame.refused) or "no suspect"
        for frame in judged
        if wrong(frame) and not frame.offered
    )
    for reason, count in reasons.most_common():
        print(f"    {count:4} without an offer: {reason}")


if __name__ == "__main__":
    sys.exit(main())
