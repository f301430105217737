"""What the engine consists of: exact versions, and the sha256 of every file that may be one of them.

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
    """The requirements of `file`, one each: name==version, some with a marker."""
    lines = (REQUIREMENTS / file).read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def version_of(package: str) -> str:
    """The engine's version of `package`."""
    return next(pin.partition("==")[2] for pin in read(ENGINE) if normal(pin.partition("==")[0]) == normal(package))


def hashes_of(name: str, version: str, file: str) -> set[str]:
    """The sha256 that a package's file may have; empty if nothing is known of it.

    Args:
        file: its name, by which PyTorch's own builds are known.
    """
    wanted = (f"  {normal(name)}=={version}", f"  {file}")
    lines = HASHES.read_text(encoding="utf-8").splitlines()
    return {line.split()[0] for line in lines if line.endswith(wanted)}


def normal(name: str) -> str:
    """A package's name as registries compare it (PyPA: name normalization)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def digest() -> str:
    """Stands for all pins: a runtime with another one is out of date."""
    whole = hashlib.sha256()
    for name in FILES:
        whole.update((REQUIREMENTS / name).read_bytes().replace(b"\r\n", b"\n"))
    return whole.hexdigest()
