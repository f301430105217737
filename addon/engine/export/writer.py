"""The base class of all writers. Every kind of target is a module of this package with a class `Writer`."""

from __future__ import annotations

import functools
import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...contract.errors import FootageError
from ...contract.job import Job
from ...contract.targets import TARGETS
from ..footage.footage import Reader
from ..footage.scan import by_value
from ..matting.static_masks import StaticMasks

# Returns the matte of an object on a clip frame, or for None that of all objects together: uint8 (H, W), 0 or 255;
# all 0 if there is none. It is called from several threads.
MatteOf = Callable[[int, str | None], NDArray[np.uint8]]
# Returns the model's certainty of an object on rows of a clip frame: float32 (rows, W), higher is more certain.
Strength = Callable[[int, str, slice], NDArray[np.float32]]
Write = Callable[[BinaryIO], None]  # fills a file; raises FootageError, OSError
Step = Callable[[int], None]  # called for every frame that is written into a common file; raises Cancelled


_LONGEST = 255  # bytes: the longest file name on usual file systems


def _check_length(path: str, source: Path) -> None:
    """Raises FootageError if a name would be longer than file systems allow."""
    longest = max(PurePosixPath(path).parts, key=lambda part: len(part.encode()))
    if len(longest.encode()) > _LONGEST:
        raise FootageError(
            f"Its matte would be called {longest[:40]}..., which has {len(longest.encode())} bytes; file systems allow "
            f"{_LONGEST} here.",
            where=str(source),
            hint="Give it a shorter name.",
        )


class BaseWriter(ABC):
    """Writes one version of one Job. Files are named by their paths inside the version, with `/`.

    The constructor raises JobError or, for names of images, FootageError if the Job can't be exported to the target.
    """

    strength: Strength | None = None  # set by the session; without it, later objects cover earlier ones

    def __init__(self, job: Job, reader: Reader) -> None:
        self.job = job
        self.reader = reader
        self.rules = TARGETS[job.target].rules
        self.static = StaticMasks(job, reader, subject_is_left_out=self.rules.subject_is_white == job.invert)
        if self.rules.flat:
            reader.check_flat()
        if not self.rules.one_file:
            for frame in range(1, job.footage.frame_count + 1):
                _check_length(self.path(frame), reader.path(frame))

    def frames(self, tracked: Sequence[int]) -> Sequence[int]:
        """The clip frames to write, given those that have a matte. Raises JobError if the target needs other frames."""
        return range(1, self.job.footage.frame_count + 1) if self.rules.every_frame else tracked

    @abstractmethod
    def frame_files(self, frame: int, matte: MatteOf) -> Mapping[str, Write]:
        """The files of a frame, by name. The returned functions do all the work."""

    def other_files(self, frames: Sequence[int], matte: MatteOf, step: Step) -> Mapping[str, Write]:
        """The files that are written once for all `frames`."""
        return {}

    @abstractmethod
    def describe(self) -> Mapping[str, Any]:
        """The report's description: in `files` the content of the files, and whatever else their reader has to know."""

    def path(self, frame: int, folder: str = "") -> str:
        """The path at which the target expects a frame's file. folder: the folder of its object or view."""
        return self._placed(self.rules.pattern, frame, folder, flat=self.rules.flat)

    def _placed(self, pattern: str, frame: int, folder: str = "", *, flat: bool = False) -> str:
        """A frame's file by a pattern as the target's; flat: without the footage's folders."""
        stem, name = self.reader.stem(frame), self.reader.file_name(frame)
        if flat:
            stem, name = PurePosixPath(stem).name, PurePosixPath(name).name
        place = self._places[frame] if "{place}" in pattern else 0
        return pattern.format(stem=stem, name=name, object=folder, view=folder, place=place)

    @functools.cached_property
    def _places(self) -> Mapping[int, int]:
        """The number of exported images before that of each clip frame, in natural order of their names.

        As T-3DGS counts them (0416a51 of March 2025, scene/dataset_readers.py), by natsort: runs of digits by value,
        all else by character. Folders are part of the names.
        """
        frames = range(1, self.job.footage.frame_count + 1)
        kept = set(self.job.delivery.kept or frames)
        ordered = sorted(frames, key=lambda frame: by_value(self.reader.file_name(frame)))
        before = itertools.accumulate((frame in kept for frame in ordered), initial=0)
        return dict(zip(ordered, before, strict=False))

    def turned(self, upright: NDArray[np.uint8], frame: int) -> NDArray[np.uint8]:
        """Turn an upright mask, uint8 (H, W), to the orientation in which the target's program reads the image."""
        return self.reader.as_stored(upright, frame) if self.rules.as_stored else upright
