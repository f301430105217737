"""The engine as Blender's child process: it reads requests from stdin and writes events to stdout.

A thread reads requests, so that the engine hears `cancel` while a Job runs, and ends as soon as its parent does.
Another thread writes events, so that a parent that reads none does not block the engine. Jobs run one after the other.
"""

from __future__ import annotations

import os
import platform
import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TextIO, cast

import torch

from ..contract.boundary import unexpected
from ..contract.errors import Cancelled, ExitCode, JobError, MatteError
from ..contract.protocol import PROTOCOL_VERSION, Event, Stage, decode, encode, lines
from ..contract.requests import Cancel, Message, Quit, Request
from ..runtime.locate import IDLE_VARIABLE
from .handlers import carry_out
from .progress import Clock
from .session import Session
from .store.matte_store import Take

_GRACE = 10.0  # seconds from the end of stdin until the process ends at the latest


@dataclass(slots=True, eq=False)
class _Todo:
    """A request that waits for its answer, and whether it is still wanted."""

    id: int
    kind: type[Request]
    message: dict[str, Any]
    stop: threading.Event = field(default_factory=threading.Event)


class Server:
    """Answers requests until `quit` or the end of its input.

    Args:
        requests, events: the streams of JSON lines, in and out.
        patience: seconds without a request after which the model's memory is freed; 0: never.
    """

    def __init__(self, requests: TextIO, events: TextIO, patience: float = 0.0) -> None:
        self._patience = patience
        self._requests = requests
        self._events = events
        self._unsent: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._session = Session(self._progress, self._cancelled, self._takes, self._warning)
        self._todo: queue.Queue[_Todo | None] = queue.Queue()
        self._previews: queue.SimpleQueue[_Todo] = queue.SimpleQueue()  # each is announced in _todo too
        self._waiting: list[_Todo] = []  # requests without an answer yet, including the current one
        self._current: _Todo | None = None
        self._clock = Clock()

    def run(self) -> int:
        """Answer requests. Returns the exit code of the process."""
        writer = threading.Thread(target=self._write, daemon=True)
        writer.start()
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
        while (todo := self._next()) is not None:
            if todo.kind.newest_only:
                self._answer_previews()
            else:
                self._current = todo
                self._answer(todo)
                self._current = None
        self._unsent.put(None)
        writer.join(_GRACE)
        return ExitCode.OK

    def _next(self) -> _Todo | None:
        """Wait for the next request; None at the end of the input."""
        while self._todo.empty() and self._session.tidy():
            pass
        if self._patience:
            try:
                return self._todo.get(timeout=self._patience)
            except queue.Empty:
                self._session.release()
        return self._todo.get()

    def _answer(self, todo: _Todo) -> None:
        try:
            if todo.stop.is_set():
                raise Cancelled
            answer = carry_out(todo.kind.from_plain(todo.message), self._session)
            self._send(cast(Event, {"id": todo.id, "event": "done", **answer}))
        except Exception as error:  # the next request must still be answered
            self._error(todo.id, unexpected(error))
        self._waiting.remove(todo)

    def _answer_previews(self) -> None:
        """Answer the waiting quick requests. Only the newest one of each verb is still wanted."""
        while not self._previews.empty():
            self._answer(self._previews.get())

    def _read(self) -> None:
        """Read messages until the input ends. The engine then ends, too."""
        try:
            for line in lines(self._requests):
                try:
                    if not self._hear(decode(line)):
                        break
                except (ValueError, MatteError) as error:
                    print(f"Not a request: {error}", file=sys.stderr)
        finally:
            self._cancel_all()
            self._todo.put(None)
            time.sleep(_GRACE)
            os._exit(ExitCode.CANCELLED)

    def _hear(self, message: dict[str, Any]) -> bool:
        """Process a message. Returns False for `quit`. Raises ValueError or JobError if the message is invalid."""
        request, verb = message.get("id"), message.get("do")
        kind = Message.kinds.get(verb) if isinstance(verb, str) else None
        if kind is Quit:
            return False
        if kind is Cancel:
            unwanted = Cancel.from_plain(message).request
            self._cancel(lambda todo: todo.id == unwanted)
            return True
        if type(request) is not int:
            raise ValueError(f"its id is {request!r}")
        if kind is None or not issubclass(kind, Request):
            known = sorted(verb for verb, kind in Message.kinds.items() if issubclass(kind, Request))
            self._error(request, JobError(f"There is no request {verb!r}.", where="do", hint=f"Known: {known}."))
            return True
        todo = _Todo(request, kind, message)
        if kind.newest_only:
            self._cancel(lambda other: other.kind is kind)
            self._previews.put(todo)
        self._waiting.append(todo)
        self._todo.put(todo)
        return True

    def _cancel(self, unwanted: Callable[[_Todo], bool]) -> None:
        """Cancel the waiting and running requests for which `unwanted` is true."""
        for todo in list(self._waiting):
            if unwanted(todo):
                todo.stop.set()

    def _cancel_all(self) -> None:
        self._cancel(lambda todo: True)

    def _cancelled(self) -> bool:
        """Called by the session between two frames. This also answers previews, which take less time than a frame."""
        self._answer_previews()
        return self._current is not None and self._current.stop.is_set()

    def _progress(self, stage: Stage, done: int, total: int, frame: int) -> None:
        event: Event = {
            "id": self._about(),
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
        self._send({"id": self._about(), "event": "takes", "takes": folders})

    def _warning(self, words: str) -> None:
        self._send({"id": self._about(), "event": "warning", "message": words})

    def _about(self) -> int:
        """The id of the request that the session is working on; 0 while it answers a quick one."""
        return self._current.id if self._current is not None else 0

    def _error(self, request: int, error: MatteError) -> None:
        self._send(
            {
                "id": request,
                "event": "error",
                "message": error.message,
                "where": error.where,
                "hint": error.hint,
                "exit_code": int(error.exit_code),
            }
        )

    def _send(self, event: Event) -> None:
        self._unsent.put(encode(event))

    def _write(self) -> None:
        while (line := self._unsent.get()) is not None:
            try:
                self._events.write(line)
                self._events.flush()
            except (OSError, ValueError):
                self._cancel_all()  # the parent does not read any more


def serve() -> int:
    """Run a server on this process's stdin and stdout, which nothing else may use. Returns the exit code."""
    requests = os.fdopen(os.dup(0), encoding="utf-8", errors="replace")
    events = os.fdopen(os.dup(1), "w", encoding="ascii")
    # output of libraries goes to the log, never between the messages; nor may libraries read requests
    os.dup2(2, 1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    sys.stdout = sys.stderr
    return Server(requests, events, 60 * float(os.environ.get(IDLE_VARIABLE, 0))).run()
