"""A second opinion: an object is tracked from both ends of each stretch between two prompted frames.

Errors grow with the distance from a prompt, so both directions err on different frames: where they agree, the matte is
nearly always right, and where they differ, one of them is wrong. The matte with more confidence is used: by SAM 2's own
confidence (object score and predicted IoU) and by the distance from its prompt. Frames on which they differ are
suspects.

A frame's result depends only on its two mattes and the prompts, not on the range or the order of frames.
"""

from __future__ import annotations

import bisect
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...contract.boundary import read_or
from ...contract.disk import write_data
from ...contract.job import Job
from ...contract.job_types import MatteObject
from ..store.matte_store import Matte, Take
from ..tracking.plan import frames_of, other_side

_NEARNESS = 0.6  # gain in confidence between the far and the near end of a stretch; see bench/review.py
_DIFFERS = 0.20  # 1 - IoU of the two mattes above which the frame is a suspect


def settle(job: Job, matte_object: MatteObject, one: Take, other: Take | None, settled: Take) -> None:
    """Fill the take of the wanted frames from the takes of both directions.

    Args:
        job: a Job with `second_opinion`.
        matte_object: one of its objects.
        one: tracked in the Job's direction; has all wanted frames.
        other: tracked in the other direction; has those between prompted frames. None: there are none.
        settled: receives the mattes, and how far both agree.

    Raises:
        OutputError: a matte is damaged or gone, or the result can't be written.
    """
    prompted = {prompt.frame for prompt in matte_object.prompts}
    between = set(frames_of(job, matte_object, other_side)) - prompted
    chosen: dict[int, Take] = {}
    agreed = kept(settled)
    for frame in frames_of(job, matte_object):
        if settled.has_matte(frame) and (frame in agreed or frame not in between):
            continue
        chosen[frame] = one
        if other is not None and frame in between:
            first, second = one.tracked(frame), other.tracked(frame)
            agreed[frame] = agreement(first, second)
            near = _NEARNESS * nearness(sorted(prompted), frame)
            if sureness(second) > sureness(first) + (-near if job.direction == "backward" else near):
                chosen[frame] = other
    if agreed:
        # written before the mattes: the agreement of a finished matte would not be computed again
        text = json.dumps({str(frame): agreed[frame] for frame in sorted(agreed)}).encode()
        with settled.reviewing():
            write_data(_file(settled), text, sync=False)
    for frame, take in chosen.items():
        settled.put_matte(frame, take.tracked(frame))


def agreement(one: Matte, other: Matte) -> float:
    """Return the IoU of two mattes; 1 if both are empty."""
    a, b = one.logits > 0, other.logits > 0
    either = int((a | b).sum())
    return int((a & b).sum()) / either if either else 1.0


def sureness(matte: Matte) -> float:
    """Return SAM 2's confidence in a matte, 0 to 1: |2·sigmoid(object score) - 1|, times the predicted IoU if it is
    visible.
    """
    seen = math.tanh(matte.object_score / 2)
    return seen * matte.iou if seen > 0 else -seen


def nearness(prompted: Sequence[int], frame: int) -> float:
    """Return how much nearer the prompted frame before `frame` is than the one after it, 0.5 (beside it) to -0.5.

    prompted: clip frames, ascending.
    """
    at = bisect.bisect(prompted, frame)
    before, after = prompted[at - 1], prompted[at]
    return 0.5 - (frame - before) / (after - before)


def kept(take: Take) -> dict[int, float]:
    """Return by clip frame how far both directions agree; empty for a take that was tracked in one direction."""

    def read() -> dict[int, float]:
        data = json.loads(_file(take).read_text(encoding="utf-8"))
        found = {int(frame): float(value) for frame, value in data.items()}
        if not all(0 <= value <= 1 for value in found.values()):
            raise ValueError("these are no shares")
        return found

    return read_or({}, read)


def _file(take: Take) -> Path:
    return take.folder / "agreement.json"


def doubts(agreed: Mapping[int, float]) -> dict[int, tuple[float, str]]:
    """Return for each frame its doubt (1 is the limit of a suspect) and the reason in words."""
    return {
        frame: ((1 - value) / _DIFFERS, f"differs when tracked from the other end ({value:.0%} in common)")
        for frame, value in agreed.items()
    }
