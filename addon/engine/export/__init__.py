"""Export: one module per kind of target. The table of targets is addon/contract/targets.py."""

from __future__ import annotations

import functools
import hashlib
import importlib
import itertools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from ...contract.disk import write_bytes
from ...contract.errors import Cancelled, JobError
from ...contract.job import Job
from ...contract.layout import KEPT_LIST
from ...contract.targets import TARGETS
from ..footage.footage import Reader
from ..selection.kept_list import kept_list
from . import both_sets
from .malloc import giving_back
from .scope import frames_to_write, settings_of
from .trial import try_out
from .versions import Partial, Pieces, claim, published
from .writer import BaseWriter, MatteOf, Step

__all__ = ["export", "prepare", "try_out"]

_FORMAT = 3  # increase it whenever the same key would produce different bytes
_WRITERS = 4  # threads; every one holds a frame at full size
_ASK_EVERY = 0.1  # seconds between two checks for cancellation


def prepare(job: Job, reader: Reader) -> BaseWriter:
    """Return the writer for the Job's target. Raises JobError if the target is unknown or does not suit the Job."""
    if job.target not in TARGETS:
        raise JobError(
            f"There is no export target {job.target!r}.", where="target", hint=f"Known: {', '.join(TARGETS)}."
        )
    module = importlib.import_module(f".{TARGETS[job.target].rules.writer}", __name__)
    writer: BaseWriter = module.Writer(job, reader)
    if job.delivery.capture != "any" and writer.rules.pair:
        return both_sets.Writer(job, reader, writer)
    return writer


def export(
    writer: BaseWriter,
    matte: MatteOf,
    *,
    frames: Sequence[int],
    key: str,
    frame_key: Callable[[int], str] | None = None,
    report: dict[str, Any],
    request: Job | None = None,
    on_frame: Callable[[int, int, int], None],
    cancelled: Callable[[], bool],
    ahead: range | None = None,
    patience: float = 0.0,
) -> Path:
    """Write one version. It appears complete, with every requested frame, or not at all.

    Args:
        writer: the result of `prepare`.
        matte: returns the matte of an object on a frame.
        frames: clip frames that have a matte.
        key: hash of everything that determines the mattes and the plates. Files that an interrupted export with the
            same key and target has finished are kept.
        frame_key: returns the hash of a frame's mattes, which finds the frames that have changed since an earlier
            version; None: `key` for all frames.
        request: the Job as it was requested, if the writer's Job differs because its objects were found by a search.
        report: is stored in vNNN.json; it is read after the last frame has been written.
        on_frame: called for every frame written here with the number of finished frames, the total, the clip frame.
        cancelled: polled; after it returns True, only the frames in progress are finished.
        ahead: write only the files of these clip frames, for a later export of all frames. Several processes may do
            so at once.
        patience: seconds to wait for another process that exports for the same submission.

    Returns:
        The version's folder, which is that of the previous version if that lacks nothing. With `ahead`, the folder of
        the files.

    Raises:
        JobError: the target needs frames that have no matte, or the version to continue does not exist.
        OutputError: the disk is full or the folder is read-only.
        FootageError: a plate can't be read.
        Cancelled: `cancelled` returned True. As after an error, finished frames are kept for the next run.
    """
    job = writer.job
    submission = job.delivery.submission
    if submission and (there := published(job.matte_folder, submission)):
        return there
    planned = frames_to_write(writer, matte, frames, frame_key or (lambda frame: key))
    base, into = planned.base, bool(job.delivery.into)
    if base is not None and not planned.frames:
        return base.folder
    settings = settings_of(writer)
    todo = [settings, key, planned.made_from, planned.frames, base and [base.stamp, into]]
    claimed = hashlib.sha256(json.dumps([_FORMAT, todo], sort_keys=True).encode()).hexdigest()[:20]
    pieces = Pieces(job.matte_folder, claimed)
    if ahead is not None:
        with giving_back():
            early = [frame for frame in planned.frames if frame in ahead]
            missing = [frame for frame in early if not all(map(pieces.has, writer.frame_files(frame, matte)))]
            for done, frame in enumerate(_write_all(writer, matte, missing, pieces, cancelled), 1):
                on_frame(done, len(missing), frame)
            writer.reader.check_unchanged()
        return pieces.folder
    with claim(job.matte_folder, claimed, patience if submission else None) as partial, giving_back():
        if submission:
            partial.take(pieces)
        missing = [frame for frame in planned.frames if not all(map(partial.has, writer.frame_files(frame, matte)))]
        done = len(planned.frames) - len(missing)
        for frame in _write_all(writer, matte, missing, partial, cancelled):
            done += 1
            on_frame(done, len(planned.frames), frame)
        for name, write in writer.other_files(
            planned.frames, matte, _step(planned.frames, on_frame, cancelled)
        ).items():
            partial.add(name, write)
        partial.check_has(name for frame in planned.frames for name in writer.frame_files(frame, matte))
        writer.reader.check_unchanged()
        history = planned.history(job, report.get("model", ""))
        if job.delivery.kept:
            names = kept_list(writer.reader, sorted(map(int, history["made_from"])))
            partial.add(KEPT_LIST, functools.partial(write_bytes, data=names))
        settings = {name: value for name, value in settings.items() if value is not None}
        facts = {**settings, "frames": len(history["made_from"]), "key": key, **history}
        document = {"job": json.loads((request or job).to_json()), "report": {**report, "export": facts}}
        text = json.dumps(document, sort_keys=True, ensure_ascii=False, indent=1) + "\n"
        if base is not None and into:
            return partial.replace(base, text)
        if base is not None:
            partial.take_over(base)
        return partial.publish(text, submission)


def _step(frames: Sequence[int], on_frame: Callable[[int, int, int], None], cancelled: Callable[[], bool]) -> Step:
    """Report progress and check for cancellation while one file with several frames is written."""
    count = itertools.count(1)

    def step(frame: int) -> None:
        on_frame(next(count), len(frames), frame)
        if cancelled():
            raise Cancelled("Stopped. A movie is written whole or not at all: the next export begins it anew.")

    return step


def _write_all(
    writer: BaseWriter, matte: MatteOf, frames: list[int], partial: Partial | Pieces, cancelled: Callable[[], bool]
) -> Iterator[int]:
    """Write frames in several threads. Yields every finished clip frame."""

    def write_frame(frame: int) -> None:
        for name, write in writer.frame_files(frame, matte).items():
            if not partial.has(name):
                partial.add(name, write)

    writers = min(_WRITERS, os.cpu_count() or 1)
    order = iter(frames)
    with ThreadPoolExecutor(writers, thread_name_prefix="export") as pool:
        running: dict[Future[None], int] = {}
        try:
            while True:
                if cancelled():
                    raise Cancelled("Stopped. The frames written so far are kept for the next export.")
                for frame in itertools.islice(order, writers - len(running)):
                    running[pool.submit(write_frame, frame)] = frame
                if not running:
                    return
                finished, _ = wait(running, timeout=_ASK_EVERY, return_when=FIRST_COMPLETED)
                for future in sorted(finished, key=running.__getitem__):
                    future.result()
                    yield running.pop(future)
        finally:
            for future in running:
                future.cancel()
