"""Finding a Python that the engine can run on.

Blender 4.2 to 5.0 have Python 3.11, Blender 5.1 and 5.2 have 3.13, and builds by Linux distributions have the
distribution's. The pins have wheels for all of these.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..contract.errors import EngineError
from ..runtime.processes import HIDDEN, quiet_environment
from .torch_build import PYTHONS

Version = tuple[int, int]

_PROBE = "import {modules}; print(sys.version_info[0], sys.version_info[1], sys.executable)"


@dataclass(frozen=True, slots=True)
class Python:
    """An interpreter that can make virtual environments."""

    version: Version
    path: Path


def probe(command: Sequence[str], modules: str = "sys, venv") -> Python | None:
    """Run `command` to learn which Python it is. None if it does not run or lacks one of `modules`.

    A name on PATH is not enough, as version managers put stubs there that only print an error.
    """
    program = _PROBE.format(modules=modules)
    try:
        done = subprocess.run(
            [*command, "-c", program],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=30,
            env=quiet_environment(),
            check=False,
            creationflags=HIDDEN,
        )
        major, minor, path = done.stdout.strip().split(" ", 2)
        return Python((int(major), int(minor)), Path(path))
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def candidates(versions: Sequence[Version], platform: str = sys.platform) -> list[list[str]]:
    """Commands that may start a Python of one of `versions`, the best first: this process's, then others by name."""
    found = [[sys.executable]]
    for major, minor in versions:
        name = f"{major}.{minor}"
        if path := shutil.which(f"python{name}"):
            found.append([path])
        if platform == "win32" and (launcher := shutil.which("py")):
            found.append([launcher, f"-{name}"])
    return found


def find_engine_python(chosen: str = "") -> Python:
    """The Python to make the runtime from: `chosen`, else Blender's own (this process's), else one on PATH.

    Raises:
        EngineError: there is none, or `chosen` does not run.
    """
    named = ", ".join(f"{major}.{minor}" for major, minor in PYTHONS)
    for command in [[chosen]] if chosen else candidates(PYTHONS):
        python = probe(command)
        if python and (chosen or python.version in PYTHONS):
            return python
    if chosen:
        raise EngineError("The engine can't be made from this Python.", where=chosen, hint=f"Name one of {named}.")
    raise EngineError(
        f"There is no Python {named} on this computer.",
        hint="Install one from https://www.python.org and name it in the preferences.",
    )
