"""Carry out what a Job asks for without a click. The way in for the session."""

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

SEGMENTS = "segments"  # the target that takes all parts as they are
# What searches are called in keys: never changed, so that what was found by earlier releases is found again.
_IN_KEYS = {Transients: "Transients", Things: "Promptless", Parts: "Everything"}
_FRAMES_FILE = "frames.json"  # beside FOUND_FILE: of each take its frames with a matte
_KEPT = 4  # folders kept, newest first


def evidence_of(job: Job, reader: Reader) -> Evidence | None:
    """A trainer's masks and differences, if the Job is about these; checked. Raises JobError that names the file."""
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
    """What `job.transients` and the like mean, by name; nothing is computed that is on disk already.

    Args:
        job: what to find.
        evidence: as `evidence_of` has it.
        source: which model.
        load: gives it; called only when it is needed.
        reader: the Job's footage.
        on_frame: told of each frame finished: how many over all passes, of how many, which clip frame.
        cancelled: asked before each frame.

    Raises:
        Cancelled: what is done stays on disk.
        JobError, FootageError, OutputError: as they say.
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
    """All that decides what is found, but for the files that a trainer made."""
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
    """Where `find` keeps what it finds for `job.things` or `job.parts` in footage; it may not be there yet."""
    return _folder(job, _facts(job, source, fingerprint))


def masks_on(job: Job, folder: Path, frame: int) -> dict[int, Mask]:
    """What `find` has found on a clip frame, by number, from `folder_of`; nothing on frames outside the Job's.

    Raises:
        JobError: nothing was found yet.
        OutputError: what was found is damaged.
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
    """The parts that are asked for as mattes; none, where all are written as they are."""
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
    """The Job with what was found as its objects, each marked by a box on the frame where it is largest.

    Raises JobError if it is nothing, or too much.
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
    """What an earlier run has found; None unless it came to its end.

    Raises OutputError if a matte of it is gone since: a thing that is not there would look the same.
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
    """The frames on which each take had a matte when it was finished; empty if nobody noted them."""

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
    """Those of the numbers that are asked for, or all. Raises JobError if there is none of a number."""
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
    """Hold a folder: make it, keep other engines out, forget the oldest others."""
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
    """Remove the oldest neighbours that no engine holds or reads."""
    others = [path for path in newest_first(folder.parent) if path != folder]
    for old in others[_KEPT - 1 :]:
        with contextlib.suppress(OSError, HeldError), owning(old, None):
            if not is_read(old):
                discard(old)
