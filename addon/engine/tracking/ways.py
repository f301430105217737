"""The ways that objects are tracked: one, or for a second opinion also the other way, between their prompted frames.

Each way has takes of its own, under the key that a Job has that asks for nothing else; so a second opinion on what is
tracked already costs the other way alone, and both are resumed, and survive a kill, as any.
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
    """Which objects, how they go through the clip, and where their mattes are."""

    where: Takes
    objects: tuple[MatteObject, ...]
    planned: Planned


def ways_of(job: Job, store: Store, fingerprint: str, model: dict[str, Any]) -> list[Way]:
    """The way of the Job's direction, and the other one where a second opinion is wanted; arguments as of `takes`."""
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
    """What prompted frames give is the same both ways, and may have taken tracking to find out. Raises OutputError."""
    for frame in one.conditioning_frames():
        source = one.state_path(frame, conditioning=True)
        if not other.state_path(frame, conditioning=True).exists():
            with source.open("rb") as file:
                other.put_state(frame, functools.partial(shutil.copyfileobj, file), conditioning=True)
