"""A child process that ends at once when the user asks to stop."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from ..runtime.processes import HIDDEN
from ..runtime.watch import Watch

_TICK = 0.1  # seconds


def run(
    command: Sequence[str],
    log: IO[bytes],
    environment: Mapping[str, str],
    watch: Watch,
    folder: Path | None = None,
    tick: Callable[[], None] = lambda: None,
) -> int:
    """Run a command to its end and return the exit code. Its output goes to `log`.

    Args:
        command: the program and its arguments.
        log: the open log file.
        environment: the complete environment of the process.
        watch: asked whether to stop.
        folder: the working folder; None: the current one.
        tick: called ten times a second.

    Raises:
        Cancelled: the user asked to stop; the process and its children were ended.
        OSError: the command can't be started.
    """
    options: dict[str, Any] = {"creationflags": HIDDEN} if sys.platform == "win32" else {"start_new_session": True}
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=dict(environment),
        cwd=folder,
        **options,
    ) as process:
        try:
            while True:
                try:
                    return process.wait(_TICK)
                except subprocess.TimeoutExpired:
                    watch.check()
                    tick()
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        process.kill()
    else:  # what it started, too: it is the first of its group
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
