"""The engine's client: starts the engine, sends it requests and sorts its events by request. Does not use bpy."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from ..contract.errors import EngineError, MatteError, from_exit_code
from ..contract.frame_numbers import shifted
from ..contract.protocol import PROTOCOL_VERSION, Event
from ..contract.requests import Cancel, Quit, Request
from .json_line_process import JsonLineProcess
from .locate import NO_BASE

_QUOTED_LINES = 6
_QUIT_SECONDS = 3.0
_NO_BASE_HINT = "The Python that the engine was made from is gone: press Repair in the preferences of this extension."
_HINT = "What was finished is kept: start again to go on."


class Reply:
    """The events of one request. Iterate over it to wait for them, or call `poll`.

    Args:
        shift: number that is added to the clip frames in warnings and errors.
    """

    def __init__(self, cancel: Callable[[], None], shift: int = 0) -> None:
        self.cancel = cancel  # ask for an end of this request alone; it ends with Cancelled
        self.shift = shift
        self.result: Event | None = None  # the `done` event, once it came
        self._events: queue.SimpleQueue[Event | MatteError] = queue.SimpleQueue()

    def put(self, item: Event | MatteError) -> None:
        """Add the next event, or the error that the request ended with. Called by the thread that reads the engine."""
        self._events.put(item)

    def poll(self) -> list[Event]:
        """The events since the last call, without waiting.

        Raises:
            MatteError: the request ended with this error.
        """
        events = []
        while self.result is None:
            try:
                events.append(self._take(self._events.get_nowait()))
            except queue.Empty:
                break
        return events

    def __iter__(self) -> Iterator[Event]:
        """Wait for each event until `done`. Raises the MatteError that the request ended with."""
        while self.result is None:
            try:
                # On Windows a wait without a limit can't be interrupted by Ctrl-C.
                item = self._events.get(timeout=0.5)
            except queue.Empty:
                continue
            yield self._take(item)

    def _take(self, item: Event | MatteError) -> Event:
        if isinstance(item, MatteError):
            raise item
        if item["event"] == "done":
            self.result = item
        return item


class Engine:
    """One engine process.

    Args:
        command: the program and its arguments.
        environment: the complete environment of the process.

    Raises:
        EngineError: it can't be started.
    """

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self._lock = threading.Lock()
        self._replies: dict[int, Reply] = {}
        self._last_id = 0
        self._end: MatteError | None = None
        self.ready = False  # whether it has started: it imports PyTorch first
        try:
            self._process = JsonLineProcess("splat-matte-engine", command, environment, self._sort, self._finish)
        except OSError as error:
            raise EngineError(
                f"The engine can't be started: {error.strerror or error}.",
                where=command[0],
                hint="Check Engine Python in the extension's preferences.",
            ) from None
        self._process.begin()

    @property
    def alive(self) -> bool:
        """Whether the engine accepts requests."""
        return self._end is None and self._process.alive

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def request(self, request: Request, shift: int = 0) -> Reply:
        """Send a request, without waiting for the answer. For `shift` see Reply."""
        with self._lock:
            self._last_id += 1
            number = self._last_id
            reply = Reply(lambda: self._process.send(Cancel(number).to_plain(0)), shift)
            if self._end is not None:
                reply.put(self._end)
                return reply
            self._replies[number] = reply
            self._process.send(request.to_plain(number))
        return reply

    def stop(self, *, wait: bool = True) -> None:
        """Ask the process to end, and kill it if that takes too long. With `wait`, return when it has ended."""
        self._process.stop(Quit().to_plain(0), _QUIT_SECONDS, wait=wait)

    def _sort(self, message: dict[str, Any]) -> None:
        event = cast(Event, message)
        kind = event["event"]
        if kind == "ready":
            if event.get("protocol") != PROTOCOL_VERSION:
                raise EngineError(
                    f"The engine speaks version {event.get('protocol')} of the protocol, not {PROTOCOL_VERSION}.",
                    hint="Restart Blender; if that does not help, install the extension again.",
                )
            self.ready = True
            return
        final = kind in ("done", "error")
        with self._lock:
            reply = self._replies.pop(event["id"], None) if final else self._replies.get(event["id"])
        if reply is None:
            return
        if kind == "error":
            reply.put(
                from_exit_code(
                    event.get("exit_code", 1),
                    shifted(event.get("message", ""), reply.shift),
                    where=event.get("where", ""),
                    hint=shifted(event.get("hint", ""), reply.shift),
                )
            )
        else:
            if kind == "warning":
                event["message"] = shifted(event.get("message", ""), reply.shift)
            reply.put(event)

    def _finish(self, code: int, error: Exception | None) -> None:
        """End every open request with an error that says why the process ended."""
        if isinstance(error, MatteError):
            end: MatteError = error
        elif error is not None:
            end = EngineError(f"The engine said something that is no message: {error}.{self._quote()}")
        else:
            hint = _NO_BASE_HINT if code == NO_BASE else _HINT
            end = EngineError(f"The engine ended unexpectedly ({_say_exit(code)}).{self._quote()}", hint=hint)
        with self._lock:
            self._end = end
            replies, self._replies = list(self._replies.values()), {}
        for reply in replies:
            reply.put(end)

    def _quote(self) -> str:
        quoted = self._process.last_words(_QUOTED_LINES)
        return "\n  " + "\n  ".join(quoted) + "\n" if quoted else ""


_shared: tuple[Engine, list[str], dict[str, str]] | None = None


def shared_engine(python: Path, environment: Mapping[str, str]) -> Engine:
    """The one engine of this Blender. It is started at first, and again after it died or its settings changed.

    The settings are the variables that `environment` adds to Blender's own environment. Changes of Blender's own
    environment don't start a new engine.

    Raises:
        EngineError: the engine can't be started.
    """
    global _shared
    command = engine_command(python)
    settings = {name: value for name, value in environment.items() if os.environ.get(name) != value}
    if _shared is not None and (not _shared[0].alive or _shared[1:] != (command, settings)):
        stop_shared_engine(wait=False)
    if _shared is None:
        _shared = (Engine(command, environment), command, settings)
    return _shared[0]


def is_starting() -> bool:
    """Whether this Blender's engine is still starting, and does not answer yet."""
    return _shared is not None and _shared[0].alive and not _shared[0].ready


def stop_shared_engine(*, wait: bool = True) -> None:
    """End this Blender's engine, if there is one. With `wait`, return when its files can be deleted."""
    global _shared
    if _shared is not None:
        engine, _shared = _shared[0], None
        engine.stop(wait=wait)


def engine_command(python: Path) -> list[str]:
    """The command that starts the engine with `python`. With -P no file in the working folder shadows a library."""
    return [str(python), "-P", "-m", "addon.engine", "serve"]


def _say_exit(code: int) -> str:
    if code < 0:
        return f"signal {-code}"
    return f"exit code {code}" if os.name != "nt" or code < 256 else f"exit code {code:#x}"
