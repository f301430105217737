"""`train`: render shots with Blender, train the embedded network on them, export its weights; or one of these steps."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from addon.contract.errors import EngineError, ExitCode
from addon.runtime.processes import quiet_environment

from .environments import ENGINE, ROOT, TRUNK, Environment, folder_of, prepare, python_of
from .package import newest_blender


def commands(arguments: Sequence[str]) -> list[tuple[str, ...]]:
    """What `python -m training` is called with: the step that is named, with its options, or all, each resuming."""
    if arguments:
        return [tuple(arguments)]
    return [("render",), ("train", "--resume"), ("export",)]


def train(arguments: Sequence[str]) -> int:
    """Run the steps until one fails; returns its exit code. Raises EngineError."""
    for command in commands(arguments):
        python = python_of(_environment(command[0]))
        if command[0] == "transplant":
            command = (*command, str(_trunk()))
        code = subprocess.run(
            [str(python), "-P", "-m", "training", *command],
            stdin=subprocess.DEVNULL,
            env=quiet_environment() | {"PYTHONPATH": str(ROOT)},
            check=False,
        ).returncode
        if code:
            return code
    return ExitCode.OK


def _trunk() -> Path:
    """The file of EfficientNet-Lite0's published weights. Raises EngineError."""
    prepare([TRUNK])
    found = next(folder_of(TRUNK).rglob("efficientnet-lite0-*.pth"), None)
    if found is None:
        raise EngineError("The trunk's weights are not in their package.", where=str(folder_of(TRUNK)))
    return found


def _environment(step: str) -> Environment:
    """Rendering needs Blender, the rest (and what isn't a step: its usage) torch."""
    if step == "render":
        return newest_blender()
    prepare([ENGINE])
    return ENGINE
