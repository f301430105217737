"""LichtFeld Studio: black and white masks, or three bands if some pixels are to be ignored.

In its mask mode `segment_and_ignore`, pixels below 128 are ignored, pixels from 128 to 250 must be empty, and pixels
above 250 are kept
(LichtFeld Studio v0.5.3, src/training/kernels, MaskPhotoMode and MaskOpacityMode). Its other modes know only
two bands; masks for these are written as long as nothing is to be ignored.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...contract.job import Job
from ..footage.footage import Reader
from ..matting.finish import grown
from . import masks
from .png import write_grey
from .writer import MatteOf, Write

IGNORED, EMPTY, KEPT = 0, 192, 255
_DOUBT = 2.2  # a logit of a probability of 0.9
_ROWS = 256  # asked at a time


class Writer(masks.Writer):
    """Writes one mask per frame, of all objects together."""

    def __init__(self, job: Job, reader: Reader) -> None:
        super().__init__(job, reader)
        self._width = job.delivery.ignored_band
        self._doubtful = job.delivery.ignore_doubtful
        self._subjects = [
            matte_object.name for matte_object in job.objects if matte_object.export and not matte_object.shadow
        ]
        self._shadows = [
            matte_object.name for matte_object in job.objects if matte_object.export and matte_object.shadow
        ]

    @property
    def _has_bands(self) -> bool:
        return bool(self._width or self._doubtful or self._shadows)

    def frame_files(self, frame: int, matte: MatteOf) -> Mapping[str, Write]:
        """One mask."""
        if not self._has_bands:
            return super().frame_files(frame, matte)

        def write(file: BinaryIO) -> None:
            write_grey(file, self.turned(self._bands(frame, matte), frame))

        return {self.path(frame): write}

    def _bands(self, frame: int, matte: MatteOf) -> NDArray[np.uint8]:
        """Return the bands of a frame, uint8 (H, W): IGNORED, EMPTY or KEPT."""
        subject = matte(frame, None)
        kept = subject if self.subject_is_white else ~subject
        bands = np.where(kept > 0, np.uint8(KEPT), np.uint8(EMPTY))
        for name in self._shadows:
            bands[(matte(frame, name) > 0) & (subject == 0)] = IGNORED
        if self._width:
            wrap = self.job.footage.panorama
            bands[grown(subject, self._width, wrap) & grown(~subject, self._width, wrap) > 0] = IGNORED
        if self._doubtful and self._subjects and self.strength:
            for top in range(0, len(bands), _ROWS):
                rows = slice(top, min(top + _ROWS, len(bands)))
                surest = functools.reduce(np.maximum, (self.strength(frame, name, rows) for name in self._subjects))
                bands[rows][np.abs(surest) < _DOUBT] = IGNORED
        return bands

    def describe(self) -> Mapping[str, Any]:
        """The meaning of the bands."""
        if not self._has_bands:
            return super().describe()
        subject, rest = (KEPT, EMPTY) if self.subject_is_white else (EMPTY, KEPT)
        ignored = [f"{self._width} pixels to either side of the edge"] if self._width else []
        ignored += ["where the model gives the subject 10 to 90 percent"] if self._doubtful else []
        ignored += [f"{name} (shadow)" for name in self._shadows]
        return {
            "files": f"8-bit grey PNG, subject {subject}, the rest {rest}, {IGNORED} ignored: {', '.join(ignored)}; "
            "as the image's pixels are stored",
            "mask_mode": "segment_and_ignore",
        }
