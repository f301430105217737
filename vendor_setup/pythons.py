"""Finds the Pythons for which Blender has wheels, and fetches one if there is none.

Blender 4.2 to 5.0 use Python 3.11, Blender 5.1 and 5.2 use 3.13. The engine runs on both.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from addon.contract.errors import EngineError
from addon.installer.pythons import Python, Version, candidates, probe
from addon.installer.uv import VERSION, bring_wheel, unpack
from addon.runtime.processes import last_line, quiet_environment, run_quietly
from addon.runtime.watch import Watch

from .say import say

SUPPORTED: tuple[Version, ...] = ((3, 11), (3, 13))  # uv fetches the first one

# Debian without python3-venv has no ensurepip.
_MODULES = "ensurepip, sys, venv"


def find_pythons(commands: Sequence[Sequence[str]] | None = None) -> dict[Version, Python]:
    """The supported Pythons of this machine by version, best first. There may be none."""
    found: dict[Version, Python] = {}
    for command in commands if commands is not None else candidates(SUPPORTED):
        python = probe(command, _MODULES)
        if python and python.version in SUPPORTED:
            found.setdefault(python.version, python)
    return found


def find_or_fetch(runtime: Path) -> dict[Version, Python]:
    """Find Pythons (see find_pythons), or let uv install one in `runtime`. Raises EngineError."""
    found = find_pythons()
    if found:
        return found
    wanted = ".".join(map(str, SUPPORTED[0]))
    say(f"No Python 3.11 or 3.13 here; fetching {wanted} with uv {VERSION} ...")
    try:
        python = _fetch(runtime, wanted)
    except EngineError as error:
        raise EngineError(
            f"There is no Python 3.11 or 3.13 on this machine, and uv could not fetch one: {error.message}.",
            hint=f"Install Python {wanted} from https://www.python.org and run this again.",
        ) from None
    return {python.version: python}


def uv(runtime: Path) -> str:
    """The engine installer's uv, unpacked into `runtime`. Raises EngineError, OutputError."""
    return str(unpack(bring_wheel(runtime / "uv", None, Watch()), runtime / "uv"))


def _fetch(runtime: Path, wanted: str) -> Python:
    environment = quiet_environment() | {"UV_PYTHON_INSTALL_DIR": str(runtime / "python")}
    program = uv(runtime)
    run_quietly([program, "python", "install", "--no-bin", wanted], environment)
    where = run_quietly([program, "python", "find", "--managed-python", wanted], environment)
    python = probe([last_line(where)], _MODULES)
    if python is None:
        raise EngineError(f"{last_line(where)} does not run.")
    return python
