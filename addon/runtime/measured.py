"""What the last self-test found on this computer. The engine writes it, Blender shows it. Standard library only."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

from ..contract.boundary import bounded_text
from ..contract.disk import write_bytes, write_file, writing
from ..contract.errors import MatteError
from ..contract.json_codec import decode, encode, parse

_FILE = "self_test.json"
_MAX_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Gpu:
    """One of NVIDIA's; the uuid stays the same when others come or go."""

    uuid: str
    name: str


@dataclass(frozen=True, slots=True)
class Measured:
    """A self-test's results.

    device, precision: what the model ran on, in words, and what it computed in.
    drift: the share of a matte that is another one than in float32, 1 - IoU of the two; 0 in float32 itself.
    speeds: frames a second by checkpoint, of one object through the whole of tracking.
    gpus: all that there are, if the engine has CUDA.
    gpu_problem: why the GPU could not be used when it was tried last; empty if it could, or there is none.
    """

    device: str
    precision: str
    drift: float = 0.0
    speeds: dict[str, float] = field(default_factory=dict)
    gpus: tuple[Gpu, ...] = ()
    gpu_problem: str = ""

    @property
    def words(self) -> str:
        """For people, in a line."""
        drift = "" if self.precision == "float32" else f" ({self.drift:.2%} of a matte differ from float32)"
        embedded = self.speeds.get("embedded")
        speed = f", {embedded:g} frames/s with the embedded checkpoint" if embedded else ""
        return f"{self.device}, {self.precision}{drift}{speed}"


def read(folder: Path) -> Measured | None:
    """What is written in the data folder; None: no self-test has been made, or the file is damaged."""
    try:
        found: Measured = decode(parse(bounded_text(folder / _FILE, _MAX_BYTES)), Measured, _FILE)
    except (OSError, ValueError, MatteError):
        return None
    return found


def write(folder: Path, measured: Measured) -> None:
    """Keep it. Raises OutputError."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_file(folder / _FILE, lambda file: write_bytes(file, encode(measured).encode()))


def note_problem(folder: Path, problem: str) -> None:
    """Keep why the GPU could not be used; whoever starts a self-test learns of a crash, not the engine itself."""
    found = read(folder)
    if found is not None:
        write(folder, dataclasses.replace(found, gpu_problem=problem))
