"""Masks: PNGs with one 8-bit channel that is 0 or 255, as trainers and photogrammetry programs read them.

Some of these programs treat any grey as white, so masks have no greys, unless the Job asks for them and the target's
program uses greys as weights. Names, folders and polarity follow the target's rules.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from .png import write_grey
from .writer import BaseWriter, MatteOf, Step, Write


class Writer(BaseWriter):
    """Writes one mask per frame, of all objects together."""

    def frame_files(self, frame: int, matte: MatteOf) -> Mapping[str, Write]:
        """One mask."""
        return {self.path(frame): self.mask(frame, matte, None)}

    def mask(self, frame: int, matte: MatteOf, name: str | None) -> Write:
        """Return a function that writes the mask of one object, or of all objects if `name` is None."""

        def write(file: BinaryIO) -> None:
            subject = self.turned(matte(frame, name), frame)
            write_grey(file, subject if self.subject_is_white else ~subject)

        return write

    def other_files(self, frames: Sequence[int], matte: MatteOf, step: Step) -> Mapping[str, Write]:
        """The static mask of every camera, for programs that take one mask for all images of a camera."""
        if not self.rules.camera_mask or not self.job.static_masks:
            return {}
        size = self.job.footage.width, self.job.footage.height
        first_frames: dict[str, int] = {}
        for frame in frames:
            first_frames.setdefault(self.static.camera_of(frame), frame)
        files: dict[str, Write] = {}
        for camera, frame in first_frames.items():
            if (static := self.static.of_camera(camera, size)) is not None:
                name = (PurePosixPath(camera) / self.rules.camera_mask).as_posix()
                files[name] = functools.partial(write_grey, grey=self.turned(~static, frame))
        return files

    @property
    def subject_is_white(self) -> bool:
        """Whether the subject is white, by the target's rules and the Job's `invert`."""
        return self.rules.subject_is_white != self.job.invert

    def describe(self) -> Mapping[str, Any]:
        """Polarity and orientation."""
        subject, rest = ("white", "black") if self.subject_is_white else ("black", "white")
        placed = "as the image's pixels are stored" if self.rules.as_stored else "upright"
        greys = ", soft edges as greys" if self.rules.weighs and self.job.delivery.greys else ""
        return {"files": f"8-bit grey PNG, subject {subject}, the rest {rest}{greys}, {placed}"}
