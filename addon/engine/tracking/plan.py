"""Which frames of an object are tracked, and in which order: a function of the Job alone, never of what is there.

One plan serves every way of asking: the whole clip, a range, a part of it (*one frame on*, *to the end*), one direction
or both. What is asked for decides only how far the passes go; where they start, and so every matte, the prompts decide.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ...contract.job import Job
from ...contract.job_types import MatteObject
from ..sam2.predictor import REACH


@dataclass(frozen=True, slots=True)
class Plan:
    """The passes of one object; frame indices from 0.

    start: where its forward pass begins, or its backward pass if there is no forward one.
    forward: from `start` on; empty if the Job's direction is "backward".
    backward: downwards, from before `start` (from `start` if there is no forward pass).
    """

    start: int
    forward: range
    backward: range

    @property
    def passes(self) -> tuple[range, range]:
        """Forward and backward."""
        return self.forward, self.backward


def plan_of(job: Job, matte_object: MatteObject) -> Plan:
    """How `matte_object` is tracked so that the wanted frames get their mattes."""
    prompted = [prompt.frame - 1 for prompt in matte_object.prompts]
    first, last = job.wanted[0] - 1, job.wanted[-1] - 1
    if job.direction == "backward":
        start = max(prompted)
        return Plan(start, range(0), range(start, first - 1, -1))
    start = min(prompted)
    backward = range(start - 1, first - 1, -1) if job.direction == "both" else range(0)
    if backward:
        # it reads forward frames near its start: these are tracked even beyond what is wanted, so that what comes of
        # it does not depend on that
        last = max(last, min(start + REACH, job.footage.frame_count - 1))
    return Plan(start, range(start, last + 1), backward)


def frames_of(job: Job, matte_object: MatteObject) -> list[int]:
    """The wanted clip frames on which `matte_object` gets a matte, in clip order."""
    planned = {index + 1 for part in plan_of(job, matte_object).passes for index in part}
    return [frame for frame in job.wanted if frame in planned]


def merge(ranges: Iterable[range]) -> list[int]:
    """The indices of all, in order."""
    return sorted(set().union(*ranges))
