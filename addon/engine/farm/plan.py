"""The plan of a submission: four steps, the same for every farm program. It is stored in the bundle with all its
inputs.

    <bundle>/plan.json          this plan
    <bundle>/jobs/NAME.json     the Job of each shot
    <bundle>/files/             copied inputs: mask files, colour config, transforms.json
    <bundle>/report/            the result of each task
    <bundle>/...                files for the farm program: openjd.py, slurm.py, flamenco.py

    check     one task per shot: does this machine have everything that it needs?
    track     one task per object of each shot, resumable
    export    frames of all shots, numbered consecutively from 1, in chunks; their files are not visible yet
    publish   one task per shot: its version appears as a whole; frames that an export has lost are written here

A task depends only on earlier steps of its own shot. It may run twice, be killed and restarted, or be run by an orphan
beside its successor: existing results are kept, and each version of a submission appears once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from ...contract import json_codec
from ...contract.boundary import bounded_text, reading
from ...contract.errors import JobError
from ...contract.frame_numbers import runs_of

PLAN_FILE = "plan.json"
HERE = "bundle:"  # prefix of paths inside the bundle
MAX_PLAN_BYTES = 64 * 1024 * 1024

Step = Literal["check", "track", "export", "publish"]
STEPS: tuple[Step, ...] = get_args(Step)


@dataclass(frozen=True, slots=True)
class PlannedShot:
    """One Job.

    objects: the objects to track, one task each; an empty name stands for everything that a search finds. first,
    frames: first clip frame and number of frames that may be exported.
    """

    name: str
    objects: tuple[str, ...]
    first: int
    frames: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a submission has to do.

    chunk: frames per export task.
    submission: a unique name.
    release, torch: releases of Splat Matte and PyTorch that made it; with others, tasks would not find each other's
        mattes.
    gpu: whether tracking needs a GPU.
    """

    shots: tuple[PlannedShot, ...]
    chunk: int
    submission: str
    release: str
    torch: str
    gpu: bool = False

    def count(self, step: Step) -> int:
        """Return the number of a step's items, which count from 1."""
        if step == "track":
            return sum(len(shot.objects) for shot in self.shots)
        if step == "export":
            return sum(shot.frames for shot in self.shots)
        return len(self.shots)

    def track(self, item: int) -> tuple[PlannedShot, str]:
        """Return shot and object of an item of `track`."""
        return [(shot, name) for shot in self.shots for name in shot.objects][item - 1]

    def pieces(self, items: list[int]) -> list[tuple[PlannedShot, range]]:
        """Return shots and clip frames of items of `export`, in ascending order."""
        found: list[tuple[PlannedShot, range]] = []
        before = 0
        for shot in self.shots:
            mine = [item - before for item in items if before < item <= before + shot.frames]
            found += [(shot, range(shot.first + run[0] - 1, shot.first + run[-1])) for run in runs_of(mine)]
            before += shot.frames
        return found

    @staticmethod
    def load(bundle: Path) -> Plan:
        """Read a bundle's plan. Raises JobError, which names the file or the field."""
        path = bundle / PLAN_FILE
        with reading(JobError, "The plan can't be read", where=str(path), hint="Make the bundle again."):
            text = bounded_text(path, MAX_PLAN_BYTES)
        plan: Plan = json_codec.decode(json_codec.parse(text), Plan, "plan")
        return plan


def job_file(bundle: Path, shot: PlannedShot) -> Path:
    """Return the file of a shot's Job."""
    return bundle / "jobs" / f"{shot.name}.json"


def items_of(text: str, count: int) -> list[int]:
    """Parse numbers such as `3`, `1-4` or `1-4,9`, ascending; those above `count` are dropped. Raises JobError."""
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,9})(?:\s*-\s*(\d{1,9}))?\s*", part)
        if match is None:
            raise JobError(f"{text!r} is not a list of numbers such as 3 or 1-4.", where="ITEMS")
        found.update(range(max(1, int(match[1])), min(count, int(match[2] or match[1])) + 1))
    return sorted(found)
