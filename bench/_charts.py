"""The numbers of a benchmark's figure: a JSON file in docs/benchmarks, from which `bench plots` draws it again."""

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
    command: that measured it.
    machine: on which it was.
    kind: lines over numbers; bars side by side; or bars whose series are parts of one whole.
    x, y: what the axes are, with units; empty for names that say it themselves.
    at: places on the x axis: numbers for lines, else names.
    series: by name, the baseline first, a value for each place; None = there is none.
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
    """A chart as it was saved."""
    return Chart(**json.loads(file.read_text(encoding="utf-8")))


def add_option(parser: argparse.ArgumentParser) -> None:
    """`--save`, the same in each benchmark that has a figure."""
    parser.add_argument("--save", action="store_true", help="keep the numbers in docs/benchmarks, for `bench plots`")


def machine() -> str:
    """This one, in a few words."""
    try:
        about = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        name = next(line.split(":")[1].strip() for line in about.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{os.cpu_count()} cores of {name}"
