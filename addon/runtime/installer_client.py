"""Starts the installer as a process of its own, and yields what it tells. Knows no bpy."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from typing import IO, Any, cast

from ..contract.errors import EngineError, MatteError, from_exit_code
from ..contract.protocol import decode
from .engine_client import EXTENSION
from .locate import engine_environment
from .processes import HIDDEN

_LOG_LINES = 40
_QUOTED_LINES = 4
_QUIT_SECONDS = 8.0


class Installer:
    """One task of `python -m addon.installer`.

    Args:
        python: that runs it; any will do, Blender's own as a rule.
        arguments: the verb and what belongs to it.

    Raises:
        EngineError: it can't be started.
    """

    def __init__(self, python: str, arguments: list[str]) -> None:
        self._events: queue.SimpleQueue[dict[str, Any] | MatteError] = queue.SimpleQueue()
        self._log: deque[str] = deque(maxlen=_LOG_LINES)
        try:
            self._process = subprocess.Popen(
                [python, "-P", "-m", "addon.installer", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="backslashreplace",
                cwd=EXTENSION,
                env=engine_environment(EXTENSION),
                creationflags=HIDDEN,
            )
        except OSError as error:
            raise EngineError(f"The installer can't be started: {error.strerror}.", where=python) from None
        self._log_reader = threading.Thread(target=self._read_log, name="splat-matte-installer-log", daemon=True)
        self._log_reader.start()
        threading.Thread(target=self._read_events, name="splat-matte-installer", daemon=True).start()

    def poll(self, wait: float = 0.0) -> list[dict[str, Any]]:
        """The events since the last call; with `wait`, at most so many seconds for the first.

        Raises:
            MatteError: what it ended with.
        """
        events: list[dict[str, Any]] = []
        while True:
            try:
                item = self._events.get(timeout=wait) if wait and not events else self._events.get_nowait()
            except queue.Empty:
                return events
            if isinstance(item, MatteError):
                raise item
            events.append(item)

    def cancel(self) -> None:
        """Ask it to stop; it ends with Cancelled."""
        try:
            pipe = cast(IO[str], self._process.stdin)
            pipe.write("stop\n")
            pipe.flush()
        except (OSError, ValueError):
            pass  # it has ended

    def stop(self) -> None:
        """End it: a request, then, if it takes longer than some seconds, by force. What is downloaded is kept."""
        self.cancel()
        try:
            self._process.wait(_QUIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read_events(self) -> None:
        over = False
        try:
            for line in cast(IO[str], self._process.stdout):
                message = decode(line)
                over = message["event"] in ("done", "error")
                self._events.put(_error(message) if message["event"] == "error" else message)
        except (OSError, ValueError, KeyError):
            self._process.kill()
        code = self._process.wait()
        if not over:
            self._log_reader.join(1.0)
            words = " ".join(list(self._log)[-_QUOTED_LINES:])
            self._events.put(EngineError(f"The installer ended unexpectedly (exit code {code}). {words}"))

    def _read_log(self) -> None:
        for line in cast(IO[str], self._process.stderr):
            if line.strip():
                self._log.append(line.strip())


def _error(message: dict[str, Any]) -> MatteError:
    words, where, hint = (str(message.get(key, "")) for key in ("message", "where", "hint"))
    return from_exit_code(int(message.get("exit_code", 1)), words, where=where, hint=hint)


def installer_python() -> str:
    """Blender's own Python: `sys.executable` since Blender 2.91."""
    return sys.executable or str(Path(sys.prefix) / ("bin/python3" if sys.platform != "win32" else "bin/python.exe"))
