"""The Job: everything that the engine needs to know, as plain data.

Blender or a command line makes a Job and the engine carries it out. The same Job on the same machine gives the same
bytes. job_types.py defines its coordinates and frames. Standard library only; both processes import it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import automatic, json_codec
from .automatic import Parts, Search, Things, Transients
from .errors import JobError
from .job_checks import (
    MAX_CACHE,
    check_delivery,
    check_footage,
    check_objects,
    check_path,
    check_range,
    check_static_masks,
)
from .job_types import (
    DEFAULT_MEMORY,
    FIRST_MEMORY,
    Delivery,
    Direction,
    Footage,
    MatteObject,
    MemoryRule,
    Model,
    Refine,
    StaticMask,
    refining,
)
from .layout import default_matte_folder

SCHEMA_VERSION = 2
MAX_JOB_BYTES = 256 * 1024 * 1024
_SEARCHES = ("transients", "things", "parts")
_RENAMED = {"export": "target", "promptless": "things", "everything": "parts"}  # from version 1 to 2


@dataclass(frozen=True, slots=True)
class Job:
    """A complete order to the engine: what to segment, how, and where the mattes go."""

    footage: Footage
    objects: tuple[MatteObject, ...]
    model: Model = field(default_factory=Model)
    direction: Direction = "both"
    memory: MemoryRule = DEFAULT_MEMORY
    second_opinion: bool = False
    frame_range: tuple[int, int] | None = None
    part: tuple[int, int] | None = None
    output: str = ""
    target: str = "postshot"
    invert: bool = False
    refine: Refine = "auto"
    transforms: str = ""
    delivery: Delivery = field(default_factory=Delivery)
    cache_megabytes: int = 4000
    transients: Transients | None = None
    things: Things | None = None
    parts: Parts | None = None
    static_masks: tuple[StaticMask, ...] = ()
    version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        _check(self)

    @property
    def frames(self) -> range:
        """The frames to track, in clip order."""
        first, last = self.frame_range or (1, self.footage.frame_count)
        return range(first, last + 1)

    @property
    def search(self) -> Search | None:
        """The search that replaces objects, if there is one."""
        return self.transients or self.things or self.parts

    @property
    def refining(self) -> Refine:
        """`refine`, with "auto" replaced by what it stands for."""
        return refining(self.refine, self.footage.width, self.footage.height)

    @property
    def wanted(self) -> range:
        """The clip frames whose mattes are wanted now, in clip order."""
        return range(self.part[0], self.part[1] + 1) if self.part else self.frames

    @property
    def matte_folder(self) -> Path:
        """The folder of the versions and of the matte store."""
        return Path(self.output) if self.output else default_matte_folder(self.footage)

    def to_json(self) -> str:
        """The Job as canonical JSON: equal Jobs give equal texts."""
        return json_codec.encode(self)

    @staticmethod
    def from_json(text: str) -> Job:
        """The Job in a JSON text. Raises JobError that names the field."""
        return Job.from_dict(json_codec.parse(text))

    @staticmethod
    def from_dict(data: Any) -> Job:
        """The Job in parsed JSON. Raises JobError that names the field."""
        if isinstance(data, dict):
            version = data.get("version")
            if version not in (1, SCHEMA_VERSION):
                raise JobError(
                    f"This Job has version {version!r}; this Splat Matte reads versions 1 to {SCHEMA_VERSION}.",
                    where="version",
                    hint="Make the Job again with this release.",
                )
            if version == 1 and type(version) is int:  # what only looks like it is told below
                data = _upgrade(data)
            data = {"memory": FIRST_MEMORY, **data}
        job: Job = json_codec.decode(data, Job)
        return job

    @staticmethod
    def load(path: Path) -> Job:
        """Read a Job file. Raises JobError that names the file or the field."""
        try:
            if path.stat().st_size > MAX_JOB_BYTES:
                raise JobError("This file is too large to be a Job.", where=str(path))
            return Job.from_json(path.read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise JobError(f"The Job can't be read: {error.strerror}.", where=str(path)) from None
        except UnicodeDecodeError:
            raise JobError("This is not a Job: it is not UTF-8 text.", where=str(path)) from None


def _check(job: Job) -> None:
    """Check everything that the types do not express. Raises JobError that names the field."""
    check_footage(job.footage)
    check_range(job.frame_range, job.footage, "frame_range")
    check_delivery(job.delivery, job.footage)
    check_static_masks(job.static_masks, job.footage)
    if job.part is not None and not job.frames[0] <= job.part[0] <= job.part[1] <= job.frames[-1]:
        raise JobError(
            f"{job.part[0]} to {job.part[1]} is not inside the frames {job.frames[0]} to {job.frames[-1]}.",
            where="part",
        )
    for name in ("output", "transforms"):
        if path := getattr(job, name):
            check_path(path, name)
    if not 0 <= job.cache_megabytes <= MAX_CACHE:
        raise JobError(f"The cache must be 0 to {MAX_CACHE} MB, not {job.cache_megabytes}.", where="cache_megabytes")
    if job.search is not None:
        _check_search(job, job.search)
        return
    check_objects(job.objects, job.footage, job.frames)
    if job.target and not any(matte_object.export and not matte_object.shadow for matte_object in job.objects):
        raise JobError(
            "No object is in the export.",
            where="objects",
            hint="Switch Export on for at least one of them that is no shadow.",
        )


def _check_search(job: Job, search: Search) -> None:
    names = [name for name in _SEARCHES if getattr(job, name) is not None]
    if len(names) > 1:
        raise JobError(f"A Job can have only one search, not {' and '.join(names)}.", where=names[1])
    if job.objects:
        raise JobError(f"A Job with {names[0]!r} can't list objects, too.", where="objects", hint="Leave them out.")
    if job.part is not None:
        raise JobError(f"{names[0]!r} always needs the whole range.", where="part", hint="Give a frame_range.")
    automatic.check(search, names[0])


def _upgrade(data: dict[str, Any]) -> dict[str, Any]:
    """Convert a Job of version 1 to version 2, which renamed fields. Raises JobError for a field with both names."""
    for old, new in _RENAMED.items():
        if old in data and new in data:
            raise JobError(f"A Job of version 1 has no {new!r}: it is called {old!r} there.", where=new)
    return {_RENAMED.get(name, name): value for name, value in data.items()} | {"version": 2}
