"""The supported farm programs. A new one is a module beside this one with a function `write`, and an entry here."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

from .plan import Plan

ENGINES = {  # the name on the command line, and the name for people
    "openjd": "Open Job Description (AWS Deadline Cloud and other programs that read it)",
    "flamenco": "Flamenco 3",
    "slurm": "Slurm",
}


@dataclass(frozen=True, slots=True)
class Program:
    """How a worker starts the engine: absolute paths of its Python and of the extension's start.py."""

    python: str
    start: str

    @property
    def words(self) -> list[str]:
        """Return the beginning of a command. -I isolates it from the worker's own Python packages."""
        return [self.python, "-I", "-X", "utf8", self.start]


def tell(engine: str, bundle: Path, plan: Plan, program: Program) -> str:
    """Write the files that `engine` reads into `bundle`; return instructions for sending it. Raises OSError."""
    module = importlib.import_module(f".{engine}", __package__)
    words: str = module.write(bundle, plan, program)
    return words
