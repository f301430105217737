"""Runs several Jobs on a few engines, each kept warm from one Job to the next. A failing Job stops no other.

Each engine is a process of its own, so even a crashing driver costs one shot only. Jobs that share a matte folder run
on the same engine, one after the other, because they share takes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...contract.boundary import unexpected
from ...contract.errors import Cancelled, JobError, MatteError
from ...contract.job import Job
from ...contract.job_types import Scope
from ...contract.layout import work_folder
from ...contract.protocol import Event, Stage
from ...contract.requests import Export, Track
from ...runtime.engine_client import Engine, Reply, engine_command
from ...runtime.json_line_process import EXTENSION
from ...runtime.locate import engine_environment
from .report import Row

_ASK_EVERY = 0.2  # seconds between two checks for a request to stop
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Shot:
    """A Job with its name; in place of the Job, the error if its file can't be read."""

    name: str
    job: Job | MatteError


def read_shots(given: Sequence[Path], scope: Scope | None = None) -> list[Shot]:
    """Read the Jobs of these files, and of the files *.json in these folders.

    Args:
        given: files and folders.
        scope: replaces the scope of each Job's delivery.

    Raises:
        JobError: a folder has none.
    """
    files: list[Path] = []
    for path in given:
        inside = sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not inside:
            raise JobError("There is no Job (*.json) in this folder.", where=str(path))
        files += inside
    stems = [file.stem for file in files]
    names = [file.stem if stems.count(file.stem) == 1 else str(file) for file in files]
    return [Shot(name, _load(file, scope)) for name, file in zip(names, files, strict=True)]


def _load(file: Path, scope: Scope | None) -> Job | MatteError:
    try:
        job = Job.load(file)
        return dataclasses.replace(job, delivery=dataclasses.replace(job.delivery, scope=scope)) if scope else job
    except Exception as error:
        return unexpected(error)


def run(shots: Sequence[Shot], engines: int, say: Say, stopping: Callable[[], bool]) -> list[Row]:
    """Run all shots; return one row each, in the order of the shots.

    Args:
        shots: the Jobs.
        engines: number of processes, which share the processor's cores; each has its own model in memory.
        say: called with progress, from several threads.
        stopping: polled; once it returns True, running shots end after the current frame and no new one starts.
    """
    rows: dict[int, Row] = {}
    together: dict[Path, list[int]] = {}
    for i, shot in enumerate(shots):
        if isinstance(shot.job, MatteError):
            rows[i] = Row.of_error(shot.name, shot.job)
        else:
            together.setdefault(shot.job.matte_folder, []).append(i)
    waiting: queue.SimpleQueue[list[int]] = queue.SimpleQueue()
    for group in together.values():
        waiting.put(group)
    count = min(engines, len(together))

    def work() -> None:
        with contextlib.closing(_WarmEngine(count)) as engine:
            while True:
                try:
                    group = waiting.get_nowait()
                except queue.Empty:
                    return
                for i in group:
                    rows[i] = _carry_out(shots[i], engine, say, stopping)

    workers = [threading.Thread(target=work, name=f"shots-{i}") for i in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return [rows[i] for i in range(len(shots))]


class _WarmEngine:
    """An engine that is started on first use and restarted after it has died."""

    def __init__(self, share: int) -> None:
        threads = 0 if share == 1 or "OMP_NUM_THREADS" in os.environ else max(1, (os.cpu_count() or 1) // share)
        self._environment = engine_environment(EXTENSION, threads=threads)
        self._engine: Engine | None = None

    def request(self, job: Job) -> Reply:
        """Request a complete Job. Raises EngineError if the engine can't be started."""
        if self._engine is None or not self._engine.alive:
            self._engine = Engine(engine_command(Path(sys.executable)), self._environment)
        return self._engine.request(Export(job) if job.target else Track(job))

    def close(self) -> None:
        """End the engine."""
        if self._engine is not None:
            self._engine.stop()


def _carry_out(shot: Shot, engine: _WarmEngine, say: Say, stopping: Callable[[], bool]) -> Row:
    assert isinstance(shot.job, Job)
    began = time.monotonic()
    try:
        if stopping():
            raise Cancelled("It was not begun.")
        say(f"{shot.name}: begins")
        reply = engine.request(shot.job)
        last: tuple[Stage, int] | None = None
        for event in _events(reply, stopping):
            if event["event"] == "warning":
                say(f"{shot.name}: Warning: {event['message']}")
            elif event["event"] == "progress" and event["stage"] != "model":
                step = (event["stage"], event["done"] * 10 // event["total"])
                if step != last:  # one line per tenth, as many shots report at once
                    say(f"{shot.name}: {event['stage']} {event['done']}/{event['total']}, frame {event['frame']}")
                last = step
        result = reply.result
        assert result is not None
        folder = result.get("folder") or str(work_folder(shot.job.matte_folder))
        seconds = round(time.monotonic() - began, 1)
        return Row(shot.name, 0, result.get("frames", 0), result.get("suspects", 0), seconds, folder)
    except MatteError as error:
        say(f"{shot.name}: Error: {error}")
        return Row.of_error(shot.name, error, round(time.monotonic() - began, 1))


def _events(reply: Reply, stopping: Callable[[], bool]) -> Iterator[Event]:
    """Yield the events of a reply; stop it once `stopping` returns True. Raises MatteError."""
    asked = False
    while reply.result is None:
        yield from reply.poll()
        if stopping() and not asked:
            asked = True
            reply.cancel()
        if reply.result is None:
            time.sleep(_ASK_EVERY)
