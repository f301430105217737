"""Child processes: a clean environment variable block, output kept for when it is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..contract.errors import EngineError

# What would lead a child into somebody else's packages.
_FOREIGN = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")

# No console window flashes up.
if sys.platform == "win32":
    HIDDEN = subprocess.CREATE_NO_WINDOW
else:
    HIDDEN = 0


def quiet_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """`environ` without what leads Python to packages outside its own environment; always UTF-8."""
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
    """Run to the end, out of sight, whatever it ends with.

    Args:
        patience: seconds that it may take.

    Raises:
        OSError: it can't be started.
        subprocess.TimeoutExpired: it took longer.
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
    """Run to the end; returns its stdout. Raises EngineError with its last words."""
    try:
        done = hear(command, environment, folder)
    except OSError as error:
        raise EngineError(f"It can't be started: {error.strerror}.", where=command[0]) from None
    if done.returncode:
        raise EngineError(last_line(done.stderr) or last_line(done.stdout) or f"It ended with {done.returncode}.")
    return done.stdout
