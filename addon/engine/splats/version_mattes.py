"""Reads the mattes of a finished version back from its exported files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...contract.boundary import bounded_text, check_pixels, reading
from ...contract.errors import JobError, OutputError
from ...contract.job import Job
from ...contract.layout import version_document, version_folder, version_number
from ...contract.targets import TARGETS
from ..export import prepare
from ..footage.footage import Reader

_MAX_DOCUMENT = 1_000_000_000  # bytes of a version's Job and report, which has scores for each frame
_HINT = "Name the folder of a finished version, such as v003."
_WRITERS = ("postshot", "masks", "nerfstudio")  # targets with one image per frame that contains the matte


class VersionMattes:
    """The mattes of one version, by clip frame.

    job: the Job that the version was made from.
    """

    def __init__(self, folder: Path, job: Job) -> None:
        self.job = job
        self._folder = folder
        self._reader = Reader(job.footage)
        self._writer = prepare(job, self._reader)

    def frames(self) -> list[int]:
        """Return the clip frames of which the version has a file, in clip order."""
        return [frame for frame in range(1, self.job.footage.frame_count + 1) if self._file(frame).is_file()]

    def matte(self, frame: int) -> NDArray[np.bool_]:
        """Return a frame's matte, bool (H, W), upright. Raises OutputError if its file is damaged."""
        rules, path = self._writer.rules, self._file(frame)
        with reading(OutputError, "This matte can't be read", where=str(path), hint="Export it again."):
            with Image.open(path) as image:
                check_pixels(*image.size, OutputError, str(path))
                pixels = np.asarray(image.getchannel("A") if rules.has_alpha else image.convert("L"))
            white = pixels >= 128
            if rules.has_alpha:
                subject = white != self.job.invert
            else:
                subject = white == (rules.subject_is_white != self.job.invert)
            if rules.as_stored:
                subject = self._reader.upright(subject, frame)
            return np.asarray(subject)

    def _file(self, frame: int) -> Path:
        return self._folder / self._writer.path(frame)


def latest_version(matte_folder: Path) -> VersionMattes:
    """Return the latest version that contains mattes. Raises like `open_version`, or JobError if there is none."""
    numbers = {version_number(path.name) for path in matte_folder.glob("v*") if path.is_dir()}
    for number in sorted((known for known in numbers if known is not None), reverse=True):
        folder = version_folder(matte_folder, number)
        if version_document(folder).is_file() and _says_where(_job_of(folder)):
            return open_version(folder)
    raise JobError(
        "No version in this folder contains mattes of the subject.",
        where=str(matte_folder),
        hint="Export a version for Postshot, or one of masks, first.",
    )


def open_version(folder: Path) -> VersionMattes:
    """Open a finished version by its folder (`v003`).

    Raises:
        JobError: the folder is not a version, or the files of its target contain no mattes.
        FootageError: the footage that it was made from is gone.
    """
    if not folder.is_dir() or not version_document(folder).is_file():
        raise JobError("There is no version here.", where=str(folder), hint=_HINT)
    job = _job_of(folder)
    if not _says_where(job):
        raise JobError(
            f"Versions for the target {job.target} do not have a matte image for each frame.",
            where=str(folder),
            hint="Export a version of masks, and name that one.",
        )
    return VersionMattes(folder, job)


def _says_where(job: Job) -> bool:
    return job.target in TARGETS and TARGETS[job.target].rules.writer in _WRITERS


def _job_of(folder: Path) -> Job:
    document = version_document(folder)
    with reading(JobError, "The Job of this version can't be read", where=str(document), hint=_HINT):
        return Job.from_dict(json.loads(bounded_text(document, _MAX_DOCUMENT))["job"])
