"""Which Pythons there are that Blender and torch have wheels for.

Blender 4.2 to 5.0 speak Python 3.11, 5.1 and 5.2 speak 3.13; the engine runs on both.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from addon.errors import EngineError
from addon.runtime import runtime_python

from .processes import last_line, quiet_environment, run_quietly
from .say import say

Version = tuple[int, int]

SUPPORTED: tuple[Version, ...] = ((3, 11), (3, 13))  # the first is what uv fetches
UV = "uv==0.13.8"

_PROBE = "import ensurepip, sys, venv; print(sys.version_info[0], sys.version_info[1], sys.executable)"


@dataclass(frozen=True, slots=True)
class Python:
    """An interpreter that can make virtual environments."""

    version: Version
    path: Path


def probe(command: Sequence[str]) -> Python | None:
    """Ask what is behind `command`. None: it does not run, or can't make environments (Debian without python3-venv).

    A name on PATH proves nothing: version managers leave stubs there that only print an error.
    """
    try:
        done = subprocess.run(
            [*command, "-c", _PROBE], capture_output=True, text=True, timeout=30, env=quiet_environment(), check=False
        )
        major, minor, path = done.stdout.strip().split(" ", 2)
        return Python((int(major), int(minor)), Path(path))
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def candidates(platform: str = sys.platform) -> list[list[str]]:
    """Commands that may start a supported Python, best first: the running one, then by name."""
    found = [[sys.executable]]
    for major, minor in SUPPORTED:
        name = f"{major}.{minor}"
        if path := shutil.which(f"python{name}"):
            found.append([path])
        if platform == "win32" and (launcher := shutil.which("py")):
            found.append([launcher, f"-{name}"])
    return found


def find_pythons(commands: Sequence[Sequence[str]] | None = None) -> dict[Version, Python]:
    """The supported Pythons of this machine, by version, best first; may be empty."""
    found: dict[Version, Python] = {}
    for command in commands if commands is not None else candidates():
        python = probe(command)
        if python and python.version in SUPPORTED:
            found.setdefault(python.version, python)
    return found


def find_or_fetch(runtime: Path) -> dict[Version, Python]:
    """As find_pythons, but never empty: where there is none, uv brings one into `runtime`. Raises EngineError."""
    found = find_pythons()
    if found:
        return found
    wanted = ".".join(map(str, SUPPORTED[0]))
    say(f"No Python 3.11 or 3.13 here; fetching {wanted} with {UV} ...")
    try:
        python = _fetch(runtime, wanted)
    except EngineError as error:
        raise EngineError(
            f"There is no Python 3.11 or 3.13 on this machine, and uv could not fetch one: {error.message}.",
            hint=f"Install Python {wanted} from https://www.python.org and run this again.",
        ) from None
    return {python.version: python}


def _fetch(runtime: Path, wanted: str) -> Python:
    tool = runtime / "uv"
    environment = quiet_environment() | {"UV_PYTHON_INSTALL_DIR": str(runtime / "python")}
    if not runtime_python(tool).exists():
        shutil.rmtree(tool, ignore_errors=True)
        run_quietly([sys.executable, "-m", "venv", str(tool)])
    run_quietly([str(runtime_python(tool)), "-m", "pip", "install", "--disable-pip-version-check", UV])
    uv = [str(runtime_python(tool)), "-m", "uv"]
    run_quietly([*uv, "python", "install", "--no-bin", wanted], environment)
    where = run_quietly([*uv, "python", "find", "--managed-python", wanted], environment)
    python = probe([last_line(where)])
    if python is None:
        raise EngineError(f"{last_line(where)} does not run.")
    return python
