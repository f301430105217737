"""Several Jobs in one go: a few engines, each warm from one Job to the next. What one fails with stops no other.

Each engine is a process of its own, so that even a driver that takes its process along costs one shot only. Jobs that
share a matte folder are carried out by the same engine, one after the other: they share takes.
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

_ASK_EVERY = 0.2  # seconds between two questions whether to stop
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Shot:
    """A Job by its name; or, in the Job's place, what is wrong with its file."""

    name: str
    job: Job | MatteError


def read_shots(given: Sequence[Path], scope: Scope | None = None) -> list[Shot]:
    """The Jobs of these files, and of the files *.json in these folders.

    Args:
        scope: of each Job's delivery, instead of its own.

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
    """Carry out all; returns a row each, in the order of the shots.

    Args:
        engines: processes at a time, each with a model of its own in memory; they share the processor's cores.
        say: told of progress, from several threads.
        stopping: asked again and again; True stops after the frames at hand, and what has not begun is left out.
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
    """An engine that is started when it is needed, and anew when it has died."""

    def __init__(self, share: int) -> None:
        threads = 0 if share == 1 or "OMP_NUM_THREADS" in os.environ else max(1, (os.cpu_count() or 1) // share)
        self._environment = engine_environment(EXTENSION, threads=threads)
        self._engine: Engine | None = None

    def request(self, job: Job) -> Reply:
        """Ask for all of a Job. Raises EngineError: it can't be started."""
        if self._engine is None or not self._engine.alive:
            self._engine = Engine(engine_command(Path(sys.executable)), self._environment)
        return self._engine.request(Export(job) if job.target else Track(job))

    def close(self) -> None:
        """End it."""
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
                if step != last:  # a line each tenth: many shots speak at once
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
    """The events of a reply; asks for its end once that is wanted. Raises MatteError."""
    asked = False
    while reply.result is None:
        yield from reply.poll()
        if stopping() and not asked:
            asked = True
            reply.cancel()
        if reply.result is None:
            time.sleep(_ASK_EVERY)
