"""The installer's client: runs the installer as a child process and hands on its events. Does not use bpy."""

from __future__ import annotations

import queue
import sys
from pathlib import Path
from typing import Any

from ..contract.errors import Cancelled, EngineError, ExitCode, MatteError, from_exit_code
from .json_line_process import EXTENSION, JsonLineProcess
from .locate import engine_environment

_QUOTED_LINES = 4
_QUIT_SECONDS = 8.0
_STOP = {"do": "stop"}  # the installer stops at any line that it reads


class Installer:
    """One task of the installer: a process of `python -m addon.installer`.

    Args:
        python: the Python that runs the installer, usually Blender's own.
        arguments: the installer's verb and its arguments.
        gpu: the GPU for the self-test, see `engine_environment`.

    Raises:
        EngineError: the process can't be started.
    """

    def __init__(self, python: str, arguments: list[str], gpu: str = "") -> None:
        self._events: queue.SimpleQueue[dict[str, Any] | MatteError] = queue.SimpleQueue()
        self._over = False
        command = [python, "-P", "-m", "addon.installer", *arguments]
        try:
            self._process = JsonLineProcess(
                "splat-matte-installer", command, engine_environment(EXTENSION, gpu=gpu), self._hear, self._finish
            )
        except OSError as error:
            raise EngineError(f"The installer can't be started: {error.strerror}.", where=python) from None
        self._process.begin()

    def poll(self, wait: float = 0.0) -> list[dict[str, Any]]:
        """The events since the last call. Waits for the first one for at most `wait` seconds.

        Raises:
            MatteError: the task ended with this error.
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
        """Ask the installer to stop. It then ends with Cancelled."""
        self._process.send(_STOP)

    def stop(self, *, wait: bool = True) -> None:
        """Ask the process to end, and kill it if that takes too long. With `wait`, return when it has ended.

        Downloaded files are kept.
        """
        self._process.stop(_STOP, _QUIT_SECONDS, wait=wait)

    def _hear(self, message: dict[str, Any]) -> None:
        self._over = message["event"] in ("done", "ask", "error")
        self._events.put(_error(message) if message["event"] == "error" else message)

    def _finish(self, code: int, error: Exception | None) -> None:
        if not self._over:
            words = " ".join(self._process.last_words(_QUOTED_LINES))
            if code == ExitCode.CANCELLED:  # it was killed, as it did not end by itself in time
                self._events.put(Cancelled())
                return
            self._events.put(EngineError(f"The installer ended unexpectedly (exit code {code}). {words}"))


def _error(message: dict[str, Any]) -> MatteError:
    words, where, hint = (str(message.get(key, "")) for key in ("message", "where", "hint"))
    return from_exit_code(int(message.get("exit_code", 1)), words, where=where, hint=hint)


def installer_python() -> str:
    """Blender's own Python: `sys.executable` since Blender 2.91."""
    return sys.executable or str(Path(sys.prefix) / ("bin/python3" if sys.platform != "win32" else "bin/python.exe"))
