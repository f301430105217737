"""Label images: the value of a pixel is the number of the object there; 0 is the background."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...contract.errors import JobError
from ...contract.job import Job
from ..footage.footage import Reader
from .png import write_grey
from .writer import BaseWriter, MatteOf, Write

_MOST = 255
_BAND = 256  # rows compared at a time


class Writer(BaseWriter):
    """Writes one 8-bit label image per frame, without a palette. Where objects overlap, the more certain one wins."""

    def __init__(self, job: Job, reader: Reader) -> None:
        super().__init__(job, reader)
        if len(job.objects) > _MOST:
            raise JobError(f"An object-id image holds {_MOST} objects, not {len(job.objects)}.", where="objects")
        if job.invert:
            raise JobError("Object ids can't be inverted.", where="invert", hint="Switch it off.")
        self._numbers = {
            matte_object.name: number for number, matte_object in enumerate(job.objects, 1) if matte_object.export
        }

    def frame_files(self, frame: int, matte: MatteOf) -> Mapping[str, Write]:
        """One label image."""

        def write(file: BinaryIO) -> None:
            labels = np.zeros((self.job.footage.height, self.job.footage.width), np.uint8)
            for name, number in self._numbers.items():
                own = matte(frame, name) > 0
                self._give_up(own, labels, frame, name)
                labels[own] = number
            write_grey(file, self.turned(labels, frame))

        return {self.path(frame): write}

    def _give_up(self, own: NDArray[np.bool_], labels: NDArray[np.uint8], frame: int, name: str) -> None:
        """Clear `own`, in place, where an object that is already in `labels` is at least as certain."""
        names = {number: name for name, number in self._numbers.items()}
        for top in range(0, len(own) if self.strength else 0, _BAND):
            rows = slice(top, min(top + _BAND, len(own)))
            contested = own[rows] & (labels[rows] > 0)
            if self.strength and contested.any():
                strength = self.strength(frame, name, rows)
                for rival in np.unique(labels[rows][contested]):
                    stronger = self.strength(frame, names[int(rival)], rows) >= strength
                    own[rows] &= ~(contested & (labels[rows] == rival) & stronger)

    def describe(self) -> Mapping[str, Any]:
        """The file format and the number of every object."""
        return {"files": "8-bit grey PNG, the object's number, 0 elsewhere, upright", "numbers": self._numbers}
