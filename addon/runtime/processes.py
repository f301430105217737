"""Child processes with a clean environment, whose output is kept for error messages."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..contract.errors import EngineError

# Variables that would make a child import packages of another Python.
_FOREIGN = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")

# Without this a console window would flash up on Windows.
if sys.platform == "win32":
    HIDDEN = subprocess.CREATE_NO_WINDOW
else:
    HIDDEN = 0


def quiet_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """`environ` without the variables that lead Python to packages of another environment, and set to UTF-8."""
    return {key: value for key, value in environ.items() if key not in _FOREIGN} | {
        "PYTHONNOUSERSITE": "1",
        "PYTHONUTF8": "1",
    }


def last_line(text: str) -> str:
    """The last line that is not blank; empty if there is none."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def hear(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    patience: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, without a window, and return its result and output. Any exit code is accepted.

    Args:
        command: the program and its arguments.
        environment: the complete environment; None: `quiet_environment()`.
        folder: the working folder; None: the current one.
        patience: limit in seconds; None: no limit.

    Raises:
        OSError: the command can't be started.
        subprocess.TimeoutExpired: it took longer than `patience`.
    """
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=environment or quiet_environment(),
        cwd=folder,
        timeout=patience,
        check=False,
        creationflags=HIDDEN,
    )


def run_quietly(
    command: Sequence[str], environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> str:
    """Run a command to its end and return its stdout. Raises EngineError with the last line of output if it fails."""
    try:
        done = hear(command, environment, folder)
    except OSError as error:
        raise EngineError(f"This program can't be started: {error.strerror}.", where=command[0]) from None
    if done.returncode:
        raise EngineError(
            last_line(done.stderr) or last_line(done.stdout) or f"The program ended with exit code {done.returncode}."
        )
    return done.stdout
