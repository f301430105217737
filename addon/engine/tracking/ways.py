"""The directions in which objects are tracked: one, or for a second opinion also the other, between prompted frames.

Each direction has its own takes, with the same key as in a Job without a second opinion. So a second opinion on tracked
mattes only costs the other direction, and both are resumed after a kill like any take.
"""

from __future__ import annotations

import dataclasses
import functools
import shutil
from dataclasses import dataclass
from typing import Any

from ...contract.job import Job
from ...contract.job_types import MatteObject
from ..store.matte_store import Store, Take
from .plan import Planned, other_side, plan_of
from .propagate import Takes, takes


@dataclass(frozen=True, slots=True)
class Way:
    """The objects of one direction, how they go through the clip, and where their mattes are."""

    where: Takes
    objects: tuple[MatteObject, ...]
    planned: Planned


def ways_of(job: Job, store: Store, fingerprint: str, model: dict[str, Any]) -> list[Way]:
    """Return the Job's direction, and the other one if a second opinion is wanted. Arguments as for `takes`."""
    plain = dataclasses.replace(job, second_opinion=False)
    ways = [Way(takes(plain, store, fingerprint, model), job.objects, plan_of)]
    between = tuple(matte_object for matte_object in job.objects if any(other_side(job, matte_object).passes))
    if between:
        against = dataclasses.replace(plain, direction="forward" if job.direction == "backward" else "backward")
        where = takes(against, store, fingerprint, model)
        names = [matte_object.name for matte_object in between]
        ways.append(Way({name: where[name] for name in names}, between, other_side))
    return ways


def share_prompts(one: Take, other: Take) -> None:
    """Copy the results of prompted frames, which may need tracking and are the same both ways. Raises OutputError."""
    for frame in one.conditioning_frames():
        source = one.state_path(frame, conditioning=True)
        if not other.state_path(frame, conditioning=True).exists():
            with source.open("rb") as file:
                other.put_state(frame, functools.partial(shutil.copyfileobj, file), conditioning=True)
