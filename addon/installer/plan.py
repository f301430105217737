"""What an installation will do, before it does anything: which torch, from where, how large, into which folder."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from ..contract.disk import MAX_PATH, free_space, long_paths
from ..contract.errors import EngineError, OutputError
from ..runtime.watch import megabytes
from .pins import version_of
from .torch_build import PYTHONS, Build, Choice, Machine, choose

_DEEPEST = 170  # characters: the deepest file of torch's wheel below the runtime's folder


@dataclass(frozen=True, slots=True)
class InstallPlan:
    """What is asked for.

    folder: of the data: runtime and checkpoints.
    build: "auto" or one of torch_build.CHOICES.
    python: to make the runtime from; empty: this one.
    wheels: a folder with all files: nothing is taken from the network.
    agreed: the build that the person said yes to where the plan can't be had; torch_build.ANY: whatever there is.
    """

    folder: Path
    build: str = "auto"
    python: str = ""
    wheels: Path | None = None
    agreed: str = ""

    @property
    def runtimes(self) -> Path:
        """Holds the runtimes, their log and what is being downloaded."""
        return self.folder / "runtime"

    @property
    def log(self) -> Path:
        """What pip and the self-test said, of the last installation."""
        return self.runtimes / "install.log"

    def builds(self, machine: Machine, python: tuple[int, int] = PYTHONS[0]) -> Choice:
        """Which builds of torch come into question. Raises EngineError: none does."""
        return choose(machine, self.build, python)

    def in_words(self, machine: Machine) -> list[str]:
        """For the person who is about to press the button."""
        try:
            choice = self.builds(machine)
        except EngineError as error:
            return [str(error)]
        build = choice.builds[0]
        source = "pypi.org" + (f" and {build.server}" if build.index else "")
        fetched = f"about {megabytes(build.download(machine.platform))} from {source}"
        if self.wheels is not None:
            fetched = f"from {self.wheels}, without the network"
        free = free_space(self.folder)
        words = [
            f"PyTorch {version_of('torch')} for {build.words}, SAM 2 and image libraries: {fetched}.",
            f"About {megabytes(build.disk(machine.platform))} in {self.runtimes}; {megabytes(free)} are free there.",
        ]
        return [*words, choice.note] if choice.note else words

    def check(self, build: Build) -> None:
        """Raises OutputError: the disk is too small, or the folder's name too long."""
        needed = build.disk(sys.platform) + (0 if self.wheels else build.download(sys.platform))
        if (free := free_space(self.folder)) < needed:
            raise OutputError(
                f"{megabytes(needed)} are needed there, {megabytes(free)} are free.",
                where=str(self.folder),
                hint="Free some space, or choose another Data Folder in the preferences.",
            )
        if sys.platform == "win32" and not long_paths() and len(os.fspath(self.runtimes)) > MAX_PATH - _DEEPEST:
            raise OutputError(
                "This folder's name is too long for Windows: PyTorch's files would not fit below it.",
                where=str(self.runtimes),
                hint="Choose a Data Folder with a shorter name, C:\\splat_matte for instance.",
            )
