"""The plan of a submission: four steps, whoever runs them. A folder holds it with all that its tasks read, a bundle.

    <bundle>/plan.json          this
    <bundle>/jobs/NAME.json     the Job of each shot
    <bundle>/files/             what travels along: mask files, colour config, transforms.json
    <bundle>/report/            what became of each task
    <bundle>/...                what the farm's program reads: openjd.py, slurm.py, flamenco.py

check     each shot: is all there that it needs, on the machine that runs this?
track     each object of each shot, resumable
export    frames of all shots, counted through from 1, in chunks: files that nobody sees yet
publish   each shot: its version appears whole; whatever an export has lost is written here

Tasks of a step depend on those before of the same shot, and on nothing else. Each may be run twice, killed and run
again, or run by an orphan beside its successor: what is there stays, and a version of one submission appears once.
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
HERE = "bundle:"  # a path that begins so is inside the bundle
MAX_PLAN_BYTES = 64 * 1024 * 1024

Step = Literal["check", "track", "export", "publish"]
STEPS: tuple[Step, ...] = get_args(Step)


@dataclass(frozen=True, slots=True)
class PlannedShot:
    """One Job.

    objects: to track, each in a task; an empty name stands for all that a search finds.
    first, frames: the clip frames that may be exported: so many, from there.
    """

    name: str
    objects: tuple[str, ...]
    first: int
    frames: int


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is to be done.

    chunk: frames of an export task.
    submission: a name that no other has.
    release, torch: of Splat Matte and PyTorch where it was made: tasks of others would not find each other's mattes.
    gpu: tracking needs one.
    """

    shots: tuple[PlannedShot, ...]
    chunk: int
    submission: str
    release: str
    torch: str
    gpu: bool = False

    def count(self, step: Step) -> int:
        """Of its items, which count from 1."""
        if step == "track":
            return sum(len(shot.objects) for shot in self.shots)
        if step == "export":
            return sum(shot.frames for shot in self.shots)
        return len(self.shots)

    def track(self, item: int) -> tuple[PlannedShot, str]:
        """Shot and object of an item of `track`."""
        return [(shot, name) for shot in self.shots for name in shot.objects][item - 1]

    def pieces(self, items: list[int]) -> list[tuple[PlannedShot, range]]:
        """Shots and clip frames of items of `export`, in ascending order."""
        found: list[tuple[PlannedShot, range]] = []
        before = 0
        for shot in self.shots:
            mine = [item - before for item in items if before < item <= before + shot.frames]
            found += [(shot, range(shot.first + run[0] - 1, shot.first + run[-1])) for run in runs_of(mine)]
            before += shot.frames
        return found

    @staticmethod
    def load(bundle: Path) -> Plan:
        """Raises JobError that names the file or the field."""
        path = bundle / PLAN_FILE
        with reading(JobError, "The plan can't be read", where=str(path), hint="Make the bundle again."):
            text = bounded_text(path, MAX_PLAN_BYTES)
        plan: Plan = json_codec.decode(json_codec.parse(text), Plan, "plan")
        return plan


def job_file(bundle: Path, shot: PlannedShot) -> Path:
    """Where the Job of a shot is."""
    return bundle / "jobs" / f"{shot.name}.json"


def items_of(text: str, count: int) -> list[int]:
    """Numbers such as `3`, `1-4` or `1-4,9`, ascending; those above `count` are left out. Raises JobError."""
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,9})(?:\s*-\s*(\d{1,9}))?\s*", part)
        if match is None:
            raise JobError(f"{text!r} is not numbers such as 3 or 1-4.", where="ITEMS")
        found.update(range(max(1, int(match[1])), min(count, int(match[2] or match[1])) + 1))
    return sorted(found)
