"""The checkpoints and configs that the user trusts, by their hashes, which are saved in the preferences.

A .blend or a Job may come from anybody. So trust is neither saved in them nor tied to a file's name.
"""

from __future__ import annotations

import functools
from pathlib import Path

import bpy

from ..contract.errors import CheckpointError
from ..installer.download import sha256_of
from .preferences import preferences


def trust(file: Path) -> None:
    """Trust the current content of a file. Raises CheckpointError if the file can't be read."""
    known = preferences().trusted.split()
    if (found := _hash(file)) not in known:
        preferences().trusted = " ".join([*known, found])
        bpy.context.preferences.is_dirty = True  # saved with the other preferences


def is_trusted(file: Path) -> bool:
    """Whether the user trusts the current content of a file. Raises CheckpointError if the file can't be read."""
    return _hash(file) in preferences().trusted.split()


def _hash(file: Path) -> str:
    try:
        status = file.stat()
        return _remembered(file, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise CheckpointError(
            f"This file can't be read: {error.strerror}.", where=str(file), hint="Choose another."
        ) from None


@functools.lru_cache(maxsize=16)
def _remembered(file: Path, size: int, changed: int) -> str:
    return sha256_of(file)
