"""Object ids: each pixel's value is the number of the object there, 0 is the background."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from ...errors import JobError
from ...job import Job
from ..footage import Reader
from .png import write_grey
from .writer import BaseWriter, Matte, Write

_MOST = 255


class Writer(BaseWriter):
    """An 8-bit label image a frame, without a palette; where objects overlap, the later one lies above."""

    def __init__(self, job: Job, reader: Reader) -> None:
        super().__init__(job, reader)
        if len(job.objects) > _MOST:
            raise JobError(f"An object-id image holds {_MOST} objects, not {len(job.objects)}.", where="objects")
        if job.invert:
            raise JobError("Object ids can't be inverted.", where="invert", hint="Switch it off.")
        self._numbers = {each.name: number for number, each in enumerate(job.objects, 1) if each.export}

    def frame_files(self, frame: int, matte: Matte) -> Mapping[str, Write]:
        """One label image."""

        def write(file: BinaryIO) -> None:
            labels = np.zeros((self.job.footage.height, self.job.footage.width), np.uint8)
            for name, number in self._numbers.items():
                labels[matte(frame, name) > 0] = number
            write_grey(file, self.turned(labels, frame))

        return {self.path(frame): write}

    def describe(self) -> Mapping[str, Any]:
        """With the number of each object."""
        return {"files": "8-bit grey PNG, the object's number, 0 elsewhere, upright", "numbers": self._numbers}
