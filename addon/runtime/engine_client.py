"""Starts the engine, sends it requests, yields its events. Knows no bpy.

Three threads per engine, none of which ever touches Blender: one writes requests (an engine that is still importing
torch doesn't read, and a Job can be larger than a pipe), one sorts events by request, one keeps the end of the log.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Literal, cast

from ..contract.errors import EngineError, MatteError, from_exit_code
from ..contract.job import Job
from ..contract.protocol import PROTOCOL_VERSION, Event, Request, decode, encode

_LOG_LINES = 200
_LOG_LINE_LENGTH = 2_000
_QUOTED_LINES = 6
_QUIT_SECONDS = 3.0
_HINT = "What was finished is kept: start again to go on."

EXTENSION = Path(__file__).resolve().parents[2]


class Reply:
    """The events of one request: iterate over them, or poll."""

    def __init__(self) -> None:
        self._events: queue.SimpleQueue[Event | MatteError] = queue.SimpleQueue()
        self.result: Event | None = None  # the `done` event, once it came

    def put(self, item: Event | MatteError) -> None:
        """For the engine's reader: the next event, or how the request ended."""
        self._events.put(item)

    def poll(self) -> list[Event]:
        """The events since the last call, without waiting.

        Raises:
            MatteError: what the request ended with.
        """
        events = []
        while self.result is None:
            try:
                events.append(self._take(self._events.get_nowait()))
            except queue.Empty:
                break
        return events

    def __iter__(self) -> Iterator[Event]:
        """Waits for each event; ends with `done`. Raises MatteError: what the request ended with."""
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
        environment: all of the process's environment.

    Raises:
        EngineError: it can't be started.
    """

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self._lock = threading.Lock()
        self._replies: dict[int, Reply] = {}
        self._last_id = 0
        self._end: MatteError | None = None
        self._log: collections.deque[str] = collections.deque(maxlen=_LOG_LINES)
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._process = _start(command, environment)
        self._log_reader = threading.Thread(target=self._read_log, name="splat-matte-log", daemon=True)
        self._log_reader.start()
        threading.Thread(target=self._read_events, name="splat-matte-events", daemon=True).start()
        threading.Thread(target=self._write_requests, name="splat-matte-requests", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether it can take requests."""
        return self._end is None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def request(
        self,
        verb: Literal["track", "retrack", "export", "review", "preview", "finish", "outlines", "suggest", "found"],
        job: Job,
        frame: int = 0,
        takes: Mapping[str, str] | None = None,
        frames: Sequence[int] = (),
        points: int = 0,
        poses: str = "",
        picked_from: str = "",
    ) -> Reply:
        """Send a Job; returns at once. The other arguments: as protocol.Request says."""
        reply = Reply()
        with self._lock:
            self._last_id += 1
            if self._end is not None:
                reply.put(self._end)
                return reply
            self._replies[self._last_id] = reply
            request: Request = {"id": self._last_id, "do": verb, "job": dataclasses.asdict(job), "frame": frame}
            if takes is not None:
                request["takes"] = dict(takes)
            if frames:
                request |= {"frames": list(frames), "points": points}
            if poses:
                request["poses"] = poses
            if picked_from:
                request["picked_from"] = picked_from
            self._requests.put(request)
        return reply

    def cancel(self) -> None:
        """Ask for an end of everything that was requested; the replies end with Cancelled."""
        self._requests.put({"id": 0, "do": "cancel"})

    def stop(self) -> None:
        """End the process: a request, then, if it takes longer than a moment, by force."""
        self._requests.put({"id": 0, "do": "quit"})
        self._requests.put(None)
        try:
            self._process.wait(_QUIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _write_requests(self) -> None:
        pipe = cast(IO[str], self._process.stdin)
        try:
            while (request := self._requests.get()) is not None:
                pipe.write(encode(request))
                pipe.flush()
            pipe.close()
        except (OSError, ValueError):
            # the engine is gone; the other end of the conversation notices
            with contextlib.suppress(OSError, ValueError):
                pipe.close()  # now, or Python complains of what is still in it, at any later moment

    def _read_events(self) -> None:
        try:
            for line in cast(IO[str], self._process.stdout):
                self._sort(decode(line))
        except (OSError, ValueError, KeyError, MatteError) as error:
            # Whatever follows can't be trusted either.
            self._process.kill()
            self._finish(error)
        else:
            self._finish(None)

    def _sort(self, message: dict[str, Any]) -> None:
        event = cast(Event, message)
        kind = event["event"]
        if kind == "ready":
            if event.get("protocol") != PROTOCOL_VERSION:
                raise EngineError(
                    f"The engine speaks version {event.get('protocol')} of the protocol, not {PROTOCOL_VERSION}.",
                    hint="Restart Blender; if that does not help, install the extension again.",
                )
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
                    event.get("message", ""),
                    where=event.get("where", ""),
                    hint=event.get("hint", ""),
                )
            )
        else:
            reply.put(event)

    def _finish(self, error: Exception | None) -> None:
        """Every open request ends, with the reason."""
        code = self._process.wait()
        self._log_reader.join(1.0)
        if isinstance(error, MatteError):
            end: MatteError = error
        elif error is not None:
            end = EngineError(f"The engine said something that is no message: {error}.{self._quote()}")
        else:
            end = EngineError(f"The engine ended unexpectedly ({_say_exit(code)}).{self._quote()}", hint=_HINT)
        with self._lock:
            self._end = end
            replies, self._replies = list(self._replies.values()), {}
        for reply in replies:
            reply.put(end)

    def _read_log(self) -> None:
        for line in cast(IO[str], self._process.stderr):
            self._log.append(line.rstrip()[:_LOG_LINE_LENGTH])

    def _quote(self) -> str:
        lines = [line for line in self._log if line][-_QUOTED_LINES:]
        return "\n  " + "\n  ".join(lines) + "\n" if lines else ""


_shared: tuple[Engine, list[str], dict[str, str]] | None = None


def shared_engine(python: Path, environment: Mapping[str, str]) -> Engine:
    """This Blender's one engine: kept warm, started when there is none, started anew when it died or the settings did.

    Raises:
        EngineError: it can't be started.
    """
    global _shared
    command, variables = engine_command(python), dict(environment)
    if _shared is not None and (not _shared[0].alive or _shared[1:] != (command, variables)):
        stop_shared_engine()
    if _shared is None:
        _shared = (Engine(command, variables), command, variables)
    return _shared[0]


def stop_shared_engine() -> None:
    """End this Blender's engine, if there is one."""
    global _shared
    if _shared is not None:
        engine, _shared = _shared[0], None
        engine.stop()


def engine_command(python: Path) -> list[str]:
    """How `python` becomes the engine. -P: nothing in the working folder shadows a library."""
    return [str(python), "-P", "-m", "addon.engine", "serve"]


def _start(command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    options: dict[str, Any] = {}
    if sys.platform == "win32":
        options["creationflags"] = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    else:
        options["start_new_session"] = True  # Ctrl-C in the terminal is for Blender; the engine is asked
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="backslashreplace",
            cwd=EXTENSION,
            env=dict(environment),
            **options,
        )
    except OSError as error:
        raise EngineError(
            f"The engine can't be started: {error.strerror or error}.",
            where=command[0],
            hint="Check Engine Python in the extension's preferences.",
        ) from None


def _say_exit(code: int) -> str:
    if code < 0:
        return f"signal {-code}"
    return f"exit code {code}" if os.name != "nt" or code < 256 else f"exit code {code:#x}"
