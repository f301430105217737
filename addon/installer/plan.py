"""The plan of an installation: which build of torch, from where, how large, and into which folder."""

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
    """The user's choices for an installation.

    folder: the data folder, for runtime and checkpoints.
    build: "auto" or a name in torch_build.CHOICES.
    python: the Python to make the runtime from; empty: this one.
    wheels: a folder with all files, so that nothing is downloaded; empty: files are downloaded.
    agreed: the build that the user accepts if the planned one is not available; torch_build.ANY: any build.
    """

    folder: Path
    build: str = "auto"
    python: str = ""
    wheels: Path | None = None
    agreed: str = ""

    @property
    def runtimes(self) -> Path:
        """The folder of the runtimes, their log and downloads."""
        return self.folder / "runtime"

    @property
    def log(self) -> Path:
        """The log of the last installation, with the output of uv and of the self-test."""
        return self.runtimes / "install.log"

    def builds(self, machine: Machine, python: tuple[int, int] = PYTHONS[0]) -> Choice:
        """The builds of torch that fit a computer and a Python. Raises EngineError if there is none."""
        return choose(machine, self.build, python)

    def in_words(self, machine: Machine) -> list[str]:
        """The plan in words, for the user who is about to press the button."""
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
        """Check the free disk space and the length of the folder's name. Raises OutputError."""
        needed = build.disk(sys.platform) + (0 if self.wheels else build.download(sys.platform))
        if (free := free_space(self.folder)) < needed:
            raise OutputError(
                f"The installation needs {megabytes(needed)} there, but only {megabytes(free)} are free.",
                where=str(self.folder),
                hint="Free some space, or choose another Data Folder in the preferences.",
            )
        if sys.platform == "win32" and not long_paths() and len(os.fspath(self.runtimes)) > MAX_PATH - _DEEPEST:
            raise OutputError(
                "The path of this folder is too long for Windows, as PyTorch's files have long paths below it.",
                where=str(self.runtimes),
                hint="Choose a Data Folder with a shorter path, for example C:\\splat_matte.",
            )
