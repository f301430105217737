"""Searches: what a Job may ask for instead of objects, to be found without a click. Standard library only.

Names and defaults of parameters are those of the pipelines that they follow: T-3DGS's video segmentor (Pryadilshchikov
et al., arXiv 2412.00155) for transients and for things, which is its promptless mode; sam2-full-video-tracking for
parts.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from .errors import JobError
from .job_checks import check_path

Polarity = Literal["auto", "white", "black"]
MAX_SUBJECTS = 256
MAX_TRACKS = 65_535  # ids of 16 bits


@dataclass(frozen=True, slots=True)
class Transients:
    """What moves through a static capture, from a splat trainer's rough masks and differences.

    masks: absolute folder of rough masks, one an image, named as the images are.
    diffs: absolute folder of L1 differences between render and photo, 8 bits, likewise.
    polarity: the colour of what moves in `masks`; auto: the colour under which photo and render differ more.
    memory_size: frames that a track is carried on from.
    lambda_ref: a proposal counts if more than this part of it is in the rough mask.
    lambda_val: a mask counts, in tracking and in the filter, if more than this part of it is.
    lambda_merge: tracks whose masks have a higher IoU on a frame are one.
    filter_threshold: tracks with a lower value (their difference where the rough masks show them, times the part that
        these show) are false alarms.
    seed: of the points.
    """

    masks: str
    diffs: str
    polarity: Polarity = "auto"
    memory_size: int = 10
    lambda_ref: float = 0.7
    lambda_val: float = 0.7
    lambda_merge: float = 0.9
    filter_threshold: float = 0.08
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Things:
    """Things: whatever is seen, each once, under one number in all frames.

    start_points_per_side: of the grid that asks on the first frame.
    prompt_points_per_side: of the grid that asks on later frames, where nothing is labelled yet.
    memory_size, lambda_merge: as in Transients.
    subjects: numbers of the things to be exported; empty = all.
    """

    start_points_per_side: int = 16
    prompt_points_per_side: int = 8
    memory_size: int = 10
    lambda_merge: float = 0.9
    subjects: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Parts:
    """Parts: every part and part of a part, each tracked, overlapping.

    step: frames between key frames.
    points_per_side, pred_iou_thresh, stability_score_thresh: of the automatic masks of key frames.
    max_masks: tracked at a time, and taken from a key frame: the largest.
    disappear_threshold: part of the picture's area below which a track ends.
    iou_threshold: a track that arrives at a key frame is the mask there with the best IoU, if that is higher.
    max_tracks: tracks in all; the smallest masks of later key frames are left out.
    subjects: numbers of the parts to be exported; empty = all.
    """

    step: int = 5
    points_per_side: int = 64
    pred_iou_thresh: float = 0.8
    stability_score_thresh: float = 0.95
    max_masks: int = 144
    disappear_threshold: float = 0.0005
    iou_threshold: float = 0.8
    max_tracks: int = 2000
    subjects: tuple[int, ...] = ()


Search = Transients | Things | Parts

_FRACTIONS = {
    "lambda_ref", "lambda_val", "lambda_merge", "filter_threshold", "pred_iou_thresh", "stability_score_thresh",
    "disappear_threshold", "iou_threshold",
}  # fmt: skip
_COUNTS = {
    "start_points_per_side": 128, "prompt_points_per_side": 128, "points_per_side": 128, "memory_size": 100,
    "step": 1000, "max_masks": 1000,
}  # fmt: skip


def thing_name(number: int) -> str:
    """What the object made of a thing is called."""
    return f"thing {number}"


def part_name(number: int) -> str:
    """What the object made of a part is called."""
    return f"part {number}"


def number_of(name: str) -> int:
    """Of a thing's or part's name, its number. Releases that called them `label 3` and `segment 3` are understood."""
    return int(name.rpartition(" ")[2])


def check(search: Search, where: str) -> None:
    """Raises JobError that names the field."""
    for field in dataclasses.fields(search):
        name, value = field.name, getattr(search, field.name)
        place = f"{where}.{name}"
        if name in _FRACTIONS and not 0 <= value <= 1:
            raise JobError(f"{value:g} is not between 0 and 1.", where=place)
        if name in _COUNTS and not 1 <= value <= _COUNTS[name]:
            raise JobError(f"{value} is not between 1 and {_COUNTS[name]}.", where=place)
        if name in ("seed", "max_tracks") and not 0 <= value <= MAX_TRACKS:
            raise JobError(f"{value} is not between 0 and {MAX_TRACKS}.", where=place)
        if name in ("masks", "diffs"):
            check_path(value, place, "Choose a folder.")
        if name == "subjects" and (len(value) > MAX_SUBJECTS or any(number < 1 for number in value)):
            raise JobError(f"Subjects are numbers from 1, at most {MAX_SUBJECTS}.", where=place)
