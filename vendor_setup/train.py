"""`train`: renders shots with Blender, trains the embedded network and exports its weights; or runs one of these."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from addon.contract.errors import EngineError, ExitCode
from addon.runtime.processes import quiet_environment

from .environments import ENGINE, ROOT, TRUNK, Environment, folder_of, prepare, python_of
from .package import newest_blender


def commands(arguments: Sequence[str]) -> list[tuple[str, ...]]:
    """The arguments for `python -m training`: a step and its options, or all steps, which resume if interrupted."""
    if arguments:
        return [tuple(arguments)]
    return [("render",), ("train", "--resume"), ("export",)]


def train(arguments: Sequence[str]) -> int:
    """Run the steps until one fails. Returns its exit code. Raises EngineError."""
    for command in commands(arguments):
        python = python_of(_environment(command[0]))
        if command[0] == "begin":
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
    """The path of EfficientNet-Lite0's published weights. Raises EngineError."""
    prepare([TRUNK])
    found = next(folder_of(TRUNK).rglob("efficientnet-lite0-*.pth"), None)
    if found is None:
        raise EngineError("The trunk's weights are not in their package.", where=str(folder_of(TRUNK)))
    return found


def _environment(step: str) -> Environment:
    """The environment of a step: rendering needs Blender, other steps and the usage message need torch."""
    if step == "render":
        return newest_blender()
    prepare([ENGINE])
    return ENGINE
