"""The pins of the engine's packages: exact versions, and the sha256 of every file of them that may be installed.

`requirements/*.txt` are edited by hand, `hashes.txt` is written by `python3 vendor_setup hashes`.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parent / "requirements"
HASHES = REQUIREMENTS / "hashes.txt"

ENGINE = "engine.txt"
BUILD = "build.txt"
CUDA = "cuda.txt"
FILES = (ENGINE, BUILD, CUDA)


def read(file: str) -> list[str]:
    """The requirements in `file`, each as name==version, some with a marker."""
    return requirements_in(REQUIREMENTS / file)


def requirements_in(path: Path) -> list[str]:
    """The lines of a requirements file without its comments."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def version_of(package: str) -> str:
    """The engine's version of `package`."""
    return next(pin.partition("==")[2] for pin in read(ENGINE) if normal(pin.partition("==")[0]) == normal(package))


def hashes_of(name: str, version: str, file: str) -> set[str]:
    """The sha256 values that a package's file may have; empty if none are pinned.

    Args:
        name, version: the package.
        file: name of the file, by which PyTorch's own builds are recognised.
    """
    wanted = (f"  {normal(name)}=={version}", f"  {file}")
    lines = HASHES.read_text(encoding="utf-8").splitlines()
    return {line.split()[0] for line in lines if line.endswith(wanted)}


def normal(name: str) -> str:
    """A package's normalised name, by which registries compare names (PyPA: name normalization)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def digest() -> str:
    """A hash of all pins; comments do not count. A runtime with another one is out of date."""
    return hashlib.sha256(repr([read(name) for name in FILES]).encode()).hexdigest()
