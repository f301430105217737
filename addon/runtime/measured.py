"""The results of the last self-test on this computer. The engine writes them, Blender shows them. Standard library
only.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

from ..contract.boundary import bounded_text
from ..contract.disk import write_data, writing
from ..contract.errors import MatteError
from ..contract.json_codec import decode, encode, parse

_FILE = "self_test.json"
_MAX_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Gpu:
    """An NVIDIA GPU. Its uuid stays the same when other GPUs are added or removed."""

    uuid: str
    name: str


@dataclass(frozen=True, slots=True)
class Measured:
    """The results of a self-test.

    device: the device that the model ran on, in words.
    precision: the precision that the model computed with.
    drift: 1 - IoU of a matte at this precision and the same matte in float32; 0 for float32 itself.
    speeds: frames per second for each checkpoint, tracking one object.
    gpus: all NVIDIA GPUs, if the engine has CUDA.
    gpu_problem: why the GPU could not be used at the last try; empty if it could, or if there is no GPU.
    """

    device: str
    precision: str
    drift: float = 0.0
    speeds: dict[str, float] = field(default_factory=dict)
    gpus: tuple[Gpu, ...] = ()
    gpu_problem: str = ""

    @property
    def words(self) -> str:
        """The results in one line, for people."""
        drift = "" if self.precision == "float32" else f" ({self.drift:.2%} of a matte differ from float32)"
        embedded = self.speeds.get("embedded")
        speed = f", {embedded:g} frames/s with the embedded checkpoint" if embedded else ""
        return f"{self.device}, {self.precision}{drift}{speed}"


def read(folder: Path) -> Measured | None:
    """The results in the data folder `folder`; None if there has been no self-test or the file is damaged."""
    try:
        found: Measured = decode(parse(bounded_text(folder / _FILE, _MAX_BYTES)), Measured, _FILE)
    except (OSError, ValueError, MatteError):
        return None
    return found


def write(folder: Path, measured: Measured) -> None:
    """Write the results to the data folder `folder`. Raises OutputError."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_data(folder / _FILE, encode(measured).encode())


def note_problem(folder: Path, problem: str) -> None:
    """Write down why the GPU could not be used. Called by the process that started the self-test, after a crash."""
    found = read(folder)
    if found is not None:
        write(folder, dataclasses.replace(found, gpu_problem=problem))
