"""Run the search of a Job that has no prompts. The session uses only this module of the package."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...contract.automatic import Parts, Things, Transients, number_of, part_name, thing_name
from ...contract.boundary import read_or
from ...contract.disk import discard, newest_first, write_data, writing
from ...contract.errors import JobError, OutputError
from ...contract.job import Job
from ...contract.job_checks import MAX_OBJECTS
from ...contract.job_types import Box, MatteObject, Prompt
from ...contract.layout import FOUND_FILE, searches_folder
from ..footage.footage import Reader
from ..sam2.model import Loaded, Source
from ..store.matte_store import STORE_VERSION, Take, is_read, key_of
from ..store.ownership import HeldError, Ownership, owning
from .evidence import Evidence
from .grid import Mask
from .part_masks import PartMasks
from .parts import PartSearch
from .things import ThingSearch
from .transients import NAME, Refinement

SEGMENTS = "segments"  # the target that writes all parts without a choice
# The names of searches in keys. They must not change, or the results of earlier releases would not be found again.
_IN_KEYS = {Transients: "Transients", Things: "Promptless", Parts: "Everything"}
_FRAMES_FILE = "frames.json"  # beside FOUND_FILE: the frames with a matte, by take
_KEPT = 4  # number of result folders that are kept, newest first


def evidence_of(job: Job, reader: Reader) -> Evidence | None:
    """Check and return the trainer's evidence if the Job has `transients`. Raises JobError that names the file."""
    return None if job.transients is None else Evidence(job.transients, job.footage, reader, job.frames)


def find(
    job: Job,
    evidence: Evidence | None,
    source: Source,
    load: Callable[[], Loaded],
    reader: Reader,
    on_frame: Callable[[int, int, int], None],
    cancelled: Callable[[], bool],
) -> dict[str, Take]:
    """Run the Job's search, or read its result if it is on disk. Returns the takes by name.

    Args:
        job: a Job with `transients`, `things` or `parts`.
        evidence: the result of `evidence_of`.
        source: identifies the model.
        load: loads the model; called only if it is needed.
        reader: the Job's footage.
        on_frame: called after every frame with the number of frames finished in all passes, the total, the clip frame.
        cancelled: polled before every frame.

    Raises:
        Cancelled: `cancelled` returned True. Finished frames stay on disk.
        JobError: the Job asks for numbers that were not found, or for too many objects.
        FootageError: a frame can't be read.
        OutputError: the results can't be written, or another engine runs the same search.
    """
    facts = _facts(job, source, reader.fingerprint())
    if evidence is not None:
        facts["evidence"] = evidence.fingerprint()
    folder = _folder(job, facts)
    with _only_one(folder) as owner:

        def stopping() -> bool:
            owner.check()
            return cancelled()

        found = _known(folder)
        if found is None:
            if job.transients is not None and evidence is not None:
                refinement = Refinement(job, job.transients, reader, evidence)
                found = {NAME: refinement.run(load(), folder, on_frame, stopping)}
            elif job.parts is not None:
                PartSearch(job, job.parts, reader, folder).run(load(), on_frame, stopping)
                found = {}
            else:
                assert job.things is not None
                things = ThingSearch(job, job.things, reader).run(load(), folder, on_frame, stopping)
                found = {thing_name(number): take for number, take in things.items()}
            _keep(folder, found)
        if job.parts is not None:
            return _parts(job, job.parts, PartMasks(folder))
    return _chosen(found, job.things.subjects if job.things else ())


def _facts(job: Job, source: Source, fingerprint: str) -> dict[str, Any]:
    """Everything that determines the result, except the trainer's files."""
    search = job.search
    assert search is not None
    return {
        "store": STORE_VERSION,
        "footage": fingerprint,
        "frames": [job.frames[0], job.frames[-1]],
        "model": source.facts,
        "wish": _IN_KEYS[type(search)],
        **{key: value for key, value in dataclasses.asdict(search).items() if key != "subjects"},
    }


def _folder(job: Job, facts: dict[str, Any]) -> Path:
    return searches_folder(job.matte_folder) / key_of(facts)[:20]


def folder_of(job: Job, source: Source, fingerprint: str) -> Path:
    """The folder in which `find` stores the results of `job.things` or `job.parts`. It may not exist yet."""
    return _folder(job, _facts(job, source, fingerprint))


def masks_on(job: Job, folder: Path, frame: int) -> dict[int, Mask]:
    """The masks found on a clip frame, by number, from the folder of `folder_of`. Frames outside the Job's have none.

    Raises:
        JobError: the search has not finished yet.
        OutputError: the result is damaged.
    """
    found = _known(folder)
    if found is None:
        raise JobError(
            "Nothing has been found with this model and range yet.",
            hint="Find first; what was stopped goes on where it was.",
        )
    if frame not in job.frames:
        return {}
    if job.parts is not None:
        return PartMasks(folder).masks(frame)
    mattes = {number_of(name): take.matte(frame) for name, take in found.items()}
    return {number: matte.logits > 0 for number, matte in mattes.items() if matte is not None}


def _parts(job: Job, search: Parts, masks: PartMasks) -> dict[str, Take]:
    """The parts to export as mattes; none if the target writes all parts itself."""
    if job.target in ("", SEGMENTS) and not search.subjects:
        return {}
    found = {part_name(id_): Take(Path()) for id_ in masks.ids(job.frames)}
    chosen = _chosen(found, search.subjects)
    if len(chosen) > MAX_OBJECTS:
        raise _too_many(len(chosen))
    return {name: masks.take(number_of(name), job.frames) for name in chosen}


def _too_many(count: int) -> JobError:
    return JobError(f"{count} were found, more than {MAX_OBJECTS}.", where="subjects", hint="Choose some of them.")


def with_objects(job: Job, found: dict[str, Take]) -> Job:
    """Return the Job with the found takes as objects. Each has a box on the frame on which it is largest.

    Raises JobError if nothing or too much was found.
    """
    if not found:
        raise JobError("Nothing was found.", where="footage", hint="Mark it with a point, or try a larger checkpoint.")
    if len(found) > MAX_OBJECTS:
        raise _too_many(len(found))
    objects = tuple(MatteObject(name, (_marked(job, take),)) for name, take in found.items())
    return dataclasses.replace(job, objects=objects, transients=None, things=None, parts=None)


def _marked(job: Job, take: Take) -> Prompt:
    footage = job.footage
    best, area, box = job.frames[0], 0.0, Box(0, 0, footage.width, footage.height)
    for frame in job.frames:
        matte = take.matte(frame)
        if matte is None:
            continue
        mask = matte.logits > 0
        if mask.mean() > area:
            best, area = frame, float(mask.mean())
            x_scale, y_scale = footage.width / mask.shape[1], footage.height / mask.shape[0]
            columns, rows = (np.flatnonzero(mask.any(axis=axis)) for axis in (0, 1))
            box = Box(columns[0] * x_scale, rows[0] * y_scale, (columns[-1] + 1) * x_scale, (rows[-1] + 1) * y_scale)
    return Prompt(best, box=box)


def _known(folder: Path) -> dict[str, Take] | None:
    """The result of an earlier run; None if it did not finish.

    Raises OutputError if one of its mattes has been deleted, because that would look like a thing that is not there.
    """

    def read() -> dict[str, Take] | None:
        names = json.loads((folder / FOUND_FILE).read_text(encoding="utf-8"))
        found = {name: Take(folder / place) for name, place in names.items()}
        return {name if name == NAME else thing_name(number_of(name)): take for name, take in found.items()}

    found = read_or(None, read)
    for name, frames in _frames_found(folder).items() if found else ():
        gone = sorted(set(frames) - set(Take(folder / name).frames()))
        if gone:
            raise OutputError(
                f"The matte of frame {gone[0]} was found and is gone.",
                where=str(folder / name),
                hint=f"Something deletes files there. Delete the folder {folder} and find again.",
            )
    return found


def _frames_found(folder: Path) -> dict[str, list[int]]:
    """The frames with a matte, by take, as recorded at the end of the search; empty if there is no record."""

    def read() -> dict[str, list[int]]:
        noted = json.loads((folder / _FRAMES_FILE).read_text(encoding="utf-8"))
        return {str(name): [int(frame) for frame in frames] for name, frames in noted.items()}

    return read_or({}, read)


def _keep(folder: Path, found: dict[str, Take]) -> None:
    frames = {take.folder.name: take.frames() for take in found.values()}
    names = {name: take.folder.name for name, take in found.items()}
    with writing(folder):
        for file_name, content in ((_FRAMES_FILE, frames), (FOUND_FILE, names)):
            text = json.dumps(content).encode()
            write_data(folder / file_name, text, sync=False)


def _chosen(found: dict[str, Take], subjects: tuple[int, ...]) -> dict[str, Take]:
    """The takes whose numbers are in `subjects`, or all if it is empty. Raises JobError for an unknown number."""
    if not subjects:
        return found
    numbers = {number_of(name): name for name in found}
    for subject in subjects:
        if subject not in numbers:
            raise JobError(
                f"There is no {subject} among the {len(found)} that were found.",
                where="subjects",
                hint=f"Known: {', '.join(map(str, numbers))}.",
            )
    return {numbers[subject]: found[numbers[subject]] for subject in subjects}


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[Ownership]:
    """Create and own a result folder, and delete the oldest other ones afterwards."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with writing(folder), owning(folder) as owner:
            yield owner
    except HeldError as held:
        raise OutputError(
            f"Another engine is looking through this clip right now: {held.owner}.",
            where=str(folder),
            hint=held.hint,
        ) from None
    _prune(folder)


def _prune(folder: Path) -> None:
    """Delete the oldest sibling folders that no engine owns or reads."""
    others = [path for path in newest_first(folder.parent) if path != folder]
    for old in others[_KEPT - 1 :]:
        with contextlib.suppress(OSError, HeldError), owning(old, None):
            if not is_read(old):
                discard(old)
