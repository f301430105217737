"""The numbers behind a figure of docs/benchmarks: a JSON file in docs/benchmarks, which `bench plots` draws."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ._common import ROOT

FOLDER = ROOT / "docs" / "benchmarks"


@dataclass(frozen=True, slots=True)
class Chart:
    """One figure.

    title: what was measured.
    command: the command that measured it.
    machine: the machine it ran on.
    kind: lines over numbers; bars side by side; or stacked bars whose series are parts of one whole.
    x, y: axis labels with units; empty where the names need none.
    at: positions on the x axis: numbers for lines, names for bars.
    series: by name, the baseline first: a value for each position, None where there is none.
    """

    title: str
    command: str
    machine: str
    kind: Literal["lines", "bars", "parts"]
    x: str
    y: str
    at: Sequence[float] | Sequence[str]
    series: Mapping[str, Sequence[float | None]]

    def save(self, name: str) -> None:
        """Write it as docs/benchmarks/NAME.json."""
        FOLDER.mkdir(exist_ok=True)
        text = json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False)
        (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def load(file: Path) -> Chart:
    """Read a saved chart."""
    return Chart(**json.loads(file.read_text(encoding="utf-8")))


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add the option `--save`, which every benchmark with a figure has."""
    parser.add_argument("--save", action="store_true", help="keep the numbers in docs/benchmarks, for `bench plots`")


def machine() -> str:
    """Describe this machine in a few words."""
    try:
        about = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        name = next(line.split(":")[1].strip() for line in about.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{os.cpu_count()} cores of {name}"
