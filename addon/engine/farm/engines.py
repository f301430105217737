"""The farms' programs that a plan can be told to. A new one is a module beside this with `write`, and a line here."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

from .plan import Plan

ENGINES = {  # the name that people give, and what it is called
    "openjd": "Open Job Description (AWS Deadline Cloud, and whatever else reads it)",
    "flamenco": "Flamenco 3",
    "slurm": "Slurm",
}


@dataclass(frozen=True, slots=True)
class Program:
    """How a worker starts the engine: its Python, and the file start.py of the extension's folder, absolute paths."""

    python: str
    start: str

    @property
    def words(self) -> list[str]:
        """The beginning of a command; -I: nothing of the worker's own Python gets in the way."""
        return [self.python, "-I", "-X", "utf8", self.start]


def tell(engine: str, bundle: Path, plan: Plan, program: Program) -> str:
    """Write into `bundle` what `engine` reads; returns how it is sent, for people. Raises OSError."""
    module = importlib.import_module(f".{engine}", __package__)
    words: str = module.write(bundle, plan, program)
    return words
