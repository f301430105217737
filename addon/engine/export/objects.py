"""Mattes per object: the masks of every object in a folder of its own."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ...contract.job import Job
from ..footage.footage import Reader
from . import masks
from .writer import MatteOf, Write

_RESERVED = re.compile(r"con|prn|aux|nul|com\d|lpt\d", re.IGNORECASE)  # names that Windows reserves


class Writer(masks.Writer):
    """Writes one mask per frame and object."""

    def __init__(self, job: Job, reader: Reader) -> None:
        super().__init__(job, reader)
        self._folders = folders_of(matte_object.name for matte_object in job.objects if matte_object.export)

    def frame_files(self, frame: int, matte: MatteOf) -> Mapping[str, Write]:
        """One mask per object."""
        return {self.path(frame, folder): self.mask(frame, matte, name) for name, folder in self._folders.items()}

    def describe(self) -> Mapping[str, Any]:
        """The file format and the folder of every object."""
        return {**super().describe(), "folders": self._folders}


def folders_of(names: Iterable[str]) -> dict[str, str]:
    """A folder per name that is valid on every system. Folders differ by more than case."""
    folders: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        readable = re.sub(r"[^\w-]+", "_", name)[:60]
        if _RESERVED.fullmatch(readable):
            readable += "_"
        numbered = (f"{readable}_{i}" for i in itertools.count(2))
        folder = next(name for name in itertools.chain([readable], numbered) if name.casefold() not in taken)
        taken.add(folder.casefold())
        folders[name] = folder
    return folders
