"""Searches: objects that the engine finds by itself, without a prompt. Standard library only.

A Job asks for at most one search, instead of listing objects. Parameters have the names and defaults of the published
pipelines: T-3DGS's video segmentor (Pryadilshchikov et al., arXiv 2412.00155) for transients and, in its promptless
mode, for things; sam2-full-video-tracking for parts.
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
    """A search for everything that moves through a static capture, starting from a splat trainer's rough masks.

    masks: absolute path of the folder of rough masks, one image per frame, named like the frames.
    diffs: absolute path of the folder of 8-bit L1 differences between render and photo, named like the frames.
    polarity: which colour marks moving areas in `masks`. "auto" takes the colour under which render and photo differ
        more.
    memory_size: number of frames that a track is propagated from.
    lambda_ref: a proposal is accepted if more than this share of its area (0..1) lies inside the rough mask.
    lambda_val: a mask is accepted, in tracking and in the filter, if more than this share of its area (0..1) lies
        inside the rough mask.
    lambda_merge: two tracks are merged if the IoU of their masks (0..1) on a frame is higher than this.
    filter_threshold: a track is a false alarm if its value is lower than this. The value is the mean difference inside
        the rough masks times the share of the track that they cover.
    seed: seed of the random points.
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
    """A search for things: every separate thing in the clip gets one number, which it keeps on all frames.

    start_points_per_side: points per side of the grid of prompts on the first frame.
    prompt_points_per_side: points per side of the grid of prompts on later frames, in areas that have no label yet.
    memory_size, lambda_merge: see `Transients`.
    subjects: numbers of the things to export; empty: all of them.
    """

    start_points_per_side: int = 16
    prompt_points_per_side: int = 8
    memory_size: int = 10
    lambda_merge: float = 0.9
    subjects: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Parts:
    """A search for parts: every part, and every part of a part, is tracked. Parts may overlap.

    step: number of frames from one key frame to the next.
    points_per_side, pred_iou_thresh, stability_score_thresh: parameters of the automatic masks of key frames.
    max_masks: the largest number of masks that are taken from a key frame and tracked at the same time; the largest
        masks are taken.
    disappear_threshold: a track ends when its area is below this share (0..1) of the picture.
    iou_threshold: at a key frame a track continues as the mask with the best IoU, if that IoU is higher than this.
    max_tracks: the largest number of tracks in total; the smallest masks of later key frames are left out.
    subjects: numbers of the parts to export; empty: all of them.
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
    """The name of the object that is made from a thing: `thing 3`."""
    return f"thing {number}"


def part_name(number: int) -> str:
    """The name of the object that is made from a part: `part 3`."""
    return f"part {number}"


def number_of(name: str) -> int:
    """The number in the name of a thing or part. Also accepts `label 3` and `segment 3`, as older releases wrote."""
    return int(name.rpartition(" ")[2])


def check(search: Search, where: str) -> None:
    """Check the values of a search. `where` is the Job's field. Raises JobError that names the field."""
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
