"""Maps a transport button to a part of the clip. Standard library only."""

from __future__ import annotations

import dataclasses
from typing import Literal

from ..contract.job import Job
from ..contract.job_types import Direction

Towards = Literal["ALL", "START", "PREVIOUS", "NEXT", "END"]


def towards(job: Job, where: Towards, here: int) -> Job:
    """Return the Job for a transport button that is pressed on clip frame `here`.

    It tracks both ways from the prompts, unless the Job's direction is backward: then everything starts at the last
    prompt.
    """
    if where == "ALL":
        return job
    first, last = job.frames[0], job.frames[-1]
    here = min(max(here, first), last)
    start = {"START": first, "PREVIOUS": max(first, here - 1)}.get(where, here)
    end = {"END": last, "NEXT": min(last, here + 1)}.get(where, here)
    direction: Direction = "backward" if job.direction == "backward" else "both"
    return dataclasses.replace(job, part=(start, end), direction=direction)
