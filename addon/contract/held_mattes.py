"""Held mattes: frames of an earlier take that are kept, identified by their content. Standard library only."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

from .boundary import reading
from .errors import OutputError
from .frame_numbers import runs_of
from .job_types import Held
from .layout import matte_file, take_key

HINT = "Release these held frames, and track the object again."


def sha256_of(take: Path, first: int, last: int) -> str:
    """The hash of the mattes of the clip frames `first` to `last`, both included, in the folder of a take.

    It covers the CRC-32 sums of the files' contents, so that a matte keeps its hash when its file is compressed later.

    Raises:
        OutputError: a frame has no matte, or its file is damaged.
    """
    sums = hashlib.sha256()
    for frame in range(first, last + 1):
        path = matte_file(take, frame)
        if not path.is_file():
            raise OutputError(f"Frame {frame} is held, but its matte is gone.", where=str(take), hint=HINT)
        with (
            reading(OutputError, "This held matte is damaged", where=str(path), hint=HINT),
            zipfile.ZipFile(path) as file,
        ):
            for name, crc in sorted((entry.filename, entry.CRC) for entry in file.infolist()):
                sums.update(f"{frame} {name} {crc:08x}\n".encode())
    return sums.hexdigest()


def held_of(takes: Mapping[int, Path]) -> tuple[Held, ...]:
    """Return the ranges that hold clip frames, each from the take in the folder that it is mapped to; one per run of a
    take.
    """
    runs = [
        (run[0], run[-1], take) for take in set(takes.values()) for run in runs_of(f for f in takes if takes[f] == take)
    ]
    return tuple(Held(first, last, take_key(take), sha256_of(take, first, last)) for first, last, take in sorted(runs))
