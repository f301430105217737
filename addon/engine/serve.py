"""The engine as Blender's child: requests from stdin, events to stdout, one Job after the other.

A thread reads the requests, so that `cancel` is heard while a Job runs and the engine ends as soon as its parent does.
"""

from __future__ import annotations

import os
import platform
import queue
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import torch

from ..contract.errors import Cancelled, ExitCode, MatteError
from ..contract.job import Job
from ..contract.protocol import PROTOCOL_VERSION, Event, Stage, Verb, decode, encode
from .progress import Clock
from .session import Session
from .store.matte_store import Take

_QUICK: tuple[Verb, ...] = ("preview", "finish", "found")  # answered between two frames of a Job, the newest only
_GRACE = 10.0  # seconds from the end of stdin to the end of the process, whatever it is doing


@dataclass(slots=True)
class _Todo:
    """A request on its way to its answer, and whether it is still wanted."""

    id: int
    verb: Verb
    job: Any
    frame: int
    takes: dict[str, str] = field(default_factory=dict)
    frames: list[int] = field(default_factory=list)
    points: int = 0
    poses: str = ""
    picked_from: str = ""
    stop: threading.Event = field(default_factory=threading.Event)


class Server:
    """Answers requests until `quit` or the end of its input."""

    def __init__(self, requests: TextIO, events: TextIO) -> None:
        self._requests = requests
        self._events = events
        self._events_lock = threading.Lock()
        self._session = Session(self._progress, self._cancelled, self._takes)
        self._todo: queue.Queue[_Todo | None] = queue.Queue()
        self._previews: queue.SimpleQueue[_Todo] = queue.SimpleQueue()  # each is announced in _todo too
        self._waiting: list[_Todo] = []  # asked for and not yet answered, the current one included
        self._current = _Todo(0, "track", None, 0)
        self._clock = Clock()

    def run(self) -> int:
        """Serve; returns the exit code."""
        self._send(
            {
                "id": 0,
                "event": "ready",
                "protocol": PROTOCOL_VERSION,
                "python": platform.python_version(),
                "torch": torch.__version__,
            }
        )
        threading.Thread(target=self._read, daemon=True).start()
        while (todo := self._todo.get()) is not None:
            if todo.verb in _QUICK:
                self._answer_previews()
            else:
                self._current = todo
                self._answer(todo)
        return ExitCode.OK

    def _answer(self, todo: _Todo) -> None:
        try:
            if todo.stop.is_set():
                raise Cancelled
            self._send(self._carry_out(todo))
        except MatteError as error:
            self._error(todo, error)
        except Exception as error:  # whatever it is, the next request shall still be answered
            traceback.print_exc()
            self._error(todo, MatteError(f"{type(error).__name__}: {error}", hint="Please report this."))
        self._waiting.remove(todo)

    def _carry_out(self, todo: _Todo) -> Event:
        job = Job.from_dict(todo.job)
        if todo.verb == "preview":
            return {"id": todo.id, "event": "done", "file": str(self._session.preview(job, todo.frame))}
        if todo.verb == "finish":
            return {"id": todo.id, "event": "done", "file": str(self._session.finish(job, todo.frame, todo.takes))}
        if todo.verb == "suggest":
            return {"id": todo.id, "event": "done", "file": str(self._session.suggest(job, todo.frame))}
        if todo.verb == "found":
            file, folder = self._session.found(job, todo.frame)
            return {"id": todo.id, "event": "done", "file": str(file), "found": str(folder)}
        if todo.verb == "outlines":
            file = self._session.outlines(job, todo.frames, todo.points)
            return {"id": todo.id, "event": "done", "file": str(file)}
        done: Event = {"id": todo.id, "event": "done"}
        if todo.verb == "review":
            found = self._session.review(job, Path(todo.poses) if todo.poses else None)
            return done | {"suspects": sum(map(len, found.values()))}
        if todo.verb == "export":
            tracked, folder = self._session.export(job, Path(todo.picked_from) if todo.picked_from else None)
            done["folder"] = str(folder)
        else:
            tracked = self._session.retrack(job) if todo.verb == "retrack" else self._session.track(job)
        if warning := tracked.warning(job):
            self._send({"id": todo.id, "event": "warning", "message": warning})
        if tracked.found is not None:
            done["found"] = str(tracked.found)
        suspects = sum(map(len, tracked.suspects.values()))
        return done | {"device": tracked.model, "frames": len(tracked.frames), "suspects": suspects}

    def _answer_previews(self) -> None:
        """Answer what is quick and waits; of a verb, all but the newest are not wanted any more."""
        while not self._previews.empty():
            self._answer(self._previews.get())

    def _read(self) -> None:
        for line in self._requests:
            try:
                request = decode(line)
                verb = request["do"]
            except (ValueError, KeyError):
                print(f"Not a request: {line[:200]!r}", file=sys.stderr)
                continue
            if verb in ("track", "retrack", "export", "review", "outlines", "suggest", *_QUICK):
                todo = _Todo(
                    int(request.get("id", 0)),
                    verb,
                    request.get("job"),
                    int(request.get("frame", 0)),
                    dict(request.get("takes", {})),
                    list(map(int, request.get("frames", []))),
                    int(request.get("points", 0)),
                    str(request.get("poses", "")),
                    str(request.get("picked_from", "")),
                )
                if verb in _QUICK:
                    self._cancel(verb)
                    self._previews.put(todo)
                self._waiting.append(todo)
                self._todo.put(todo)
            elif verb == "cancel":
                self._cancel()
            elif verb == "quit":
                break
        self._cancel()
        self._todo.put(None)
        time.sleep(_GRACE)
        os._exit(ExitCode.CANCELLED)

    def _cancel(self, *verbs: Verb) -> None:
        """What waits or runs is not wanted any more; without `verbs`, all of it."""
        for todo in list(self._waiting):
            if not verbs or todo.verb in verbs:
                todo.stop.set()

    def _cancelled(self) -> bool:
        """Asked by the session between two frames: the moment for previews, which take less than a frame."""
        self._answer_previews()
        return self._current.stop.is_set()

    def _progress(self, stage: Stage, done: int, total: int, frame: int) -> None:
        event: Event = {
            "id": self._current.id,
            "event": "progress",
            "stage": stage,
            "done": done,
            "total": total,
            "frame": frame,
        }
        left = self._clock.seconds_left(stage, done, total)
        if left is not None:
            event["seconds_left"] = left
        self._send(event)

    def _takes(self, takes: dict[str, Take]) -> None:
        folders = {name: str(take.folder) for name, take in takes.items()}
        self._send({"id": self._current.id, "event": "takes", "takes": folders})

    def _error(self, todo: _Todo, error: MatteError) -> None:
        self._send(
            {
                "id": todo.id,
                "event": "error",
                "message": error.message,
                "where": error.where,
                "hint": error.hint,
                "exit_code": int(error.exit_code),
            }
        )

    def _send(self, event: Event) -> None:
        try:
            with self._events_lock:
                self._events.write(encode(event))
                self._events.flush()
        except (BrokenPipeError, ValueError):
            self._cancel()  # nobody listens any more


def serve() -> int:
    """Serve on this process's own stdin and stdout, which nothing else may use."""
    requests = os.fdopen(os.dup(0), encoding="utf-8", errors="replace")
    events = os.fdopen(os.dup(1), "w", encoding="ascii")
    # what libraries print goes to the log, never between the messages; nor may they read requests
    os.dup2(2, 1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    sys.stdout = sys.stderr
    return Server(requests, events).run()
