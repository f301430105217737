"""Plans which frames of an object are tracked, in which order. A function of the Job alone, whatever is tracked
already.

One plan serves every kind of request: the whole clip, a range, a part of it (*one frame on*, *to the end*), one
direction or both. The request only determines how far the passes go. The prompts determine where they start, and so
every matte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ...contract.job import Job
from ...contract.job_types import MatteObject
from ..sam2.predictor import REACH


@dataclass(frozen=True, slots=True)
class Plan:
    """The passes of one object; frame indices count from 0.

    start: where its forward pass begins, or its backward pass if there is no forward one.
    forward: from `start` on; empty if the Job's direction is "backward".
    backward: downwards, from before `start` (from `start` if there is no forward pass).
    """

    start: int
    forward: range
    backward: range

    @property
    def passes(self) -> tuple[range, range]:
        """Return the forward and the backward pass."""
        return self.forward, self.backward


def plan_of(job: Job, matte_object: MatteObject) -> Plan:
    """Plan how `matte_object` is tracked so that the wanted frames get mattes."""
    prompted = [prompt.frame - 1 for prompt in matte_object.prompts]
    wanted: Sequence[int] = job.wanted
    if matte_object.held:  # held frames at either end are not tracked, as no other frame reads them
        wanted = [frame for frame in wanted if not matte_object.holds(frame)]
    start = max(prompted) if job.direction == "backward" else resumed_at(matte_object)
    if not wanted:
        return Plan(start, range(0), range(0))
    first, last = wanted[0] - 1, wanted[-1] - 1
    if job.direction == "backward":
        return Plan(start, range(0), range(start, first - 1, -1))
    backward = range(start - 1, first - 1, -1) if job.direction == "both" else range(0)
    if backward:
        # it reads forward frames near its start: these are tracked even beyond the wanted frames, so that its results
        # do not depend on those
        last = max(last, min(start + REACH, job.footage.frame_count - 1))
    return Plan(start, range(start, last + 1), backward)


def resumed_at(matte_object: MatteObject) -> int:
    """Return the frame index where the forward pass begins: that of the first prompt, or of a later one after held
    frames.

    If all frames from the first prompt up to another prompt are held, a new correction is carried forward from its own
    frame. Tracking then begins there, with the memory that the held frames were tracked from.
    """
    first = matte_object.prompts[0].frame
    frame = first
    while (run := next((held for held in matte_object.held if held.first <= frame <= held.last), None)) is not None:
        frame = run.last + 1
    return (frame if any(prompt.frame == frame for prompt in matte_object.prompts) else first) - 1


def has_second_opinion(job: Job, matte_object: MatteObject) -> bool:
    """Whether `matte_object` is tracked from both ends of a stretch. Not with held mattes, which are final."""
    return job.second_opinion and len(matte_object.prompts) > 1 and not matte_object.held


def other_side(job: Job, matte_object: MatteObject) -> Plan:
    """Plan the other direction of `matte_object`, for its wanted frames between two prompted ones.

    Empty if there are none, or no second opinion is wanted. Otherwise it equals a Job of the other direction.
    """
    prompted = [prompt.frame - 1 for prompt in matte_object.prompts]
    start, end = min(prompted), max(prompted)
    first, last = max(start, job.wanted[0] - 1), min(end, job.wanted[-1] - 1)
    if not has_second_opinion(job, matte_object) or first > last:
        return Plan(start, range(0), range(0))
    if job.direction == "backward":
        return Plan(start, range(start, last + 1), range(0))
    return Plan(end, range(0), range(end, first - 1, -1))


Planned = Callable[[Job, MatteObject], Plan]  # `plan_of` or `other_side`


def frames_of(job: Job, matte_object: MatteObject, planned: Planned = plan_of) -> list[int]:
    """Return the wanted clip frames on which `matte_object` gets a matte, tracked or held, in clip order."""
    frames = {index + 1 for part in planned(job, matte_object).passes for index in part}
    return [frame for frame in job.wanted if frame in frames or (planned is plan_of and matte_object.holds(frame))]


def merge(ranges: Iterable[range]) -> list[int]:
    """Return the indices of all ranges, ascending."""
    return sorted(set().union(*ranges))
