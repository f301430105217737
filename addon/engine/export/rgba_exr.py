"""EXR: the plate's float values, in their own type and colour space, with straight alpha.

Source: OpenEXR's technical introduction; colorInteropID: "Color Space Encodings for Texture Assets and CG Rendering",
Color Interop Forum, 2024. OpenEXR files usually have premultiplied colours; here the plate's values do not
change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from ...contract.errors import JobError
from ...contract.job import Job
from ..footage import ocio
from ..footage.footage import Reader
from .alpha import alpha_of, in_words
from .exr import write_exr
from .writer import BaseWriter, MatteOf, Write


class Writer(BaseWriter):
    """Writes RGBA with straight alpha, half or float as the plate."""

    def __init__(self, job: Job, reader: Reader) -> None:
        super().__init__(job, reader)
        if reader.dtype != np.float32:
            raise JobError(
                "This target keeps float values, and the footage has none.",
                where="target",
                hint="Choose TIFF or Postshot, which keep the integers of this footage as they are.",
            )
        self._attributes: dict[str, str] = {}
        if job.footage.colour_space and (name := ocio.interop_id(job.footage)):
            self._attributes["colorInteropID"] = name

    def frame_files(self, frame: int, matte: MatteOf) -> Mapping[str, Write]:
        """One image."""

        def write(file: BinaryIO) -> None:
            plate = self.reader.plate(frame, alpha=self.job.delivery.plate_alpha == "multiply")
            alpha = alpha_of(plate, frame, matte, self.job)
            size = self.job.footage.width, self.job.footage.height
            scale = np.float32(255 if alpha.dtype == np.uint8 else 1)
            write_exr(
                file,
                size,
                dict.fromkeys("RGBA", self.reader.float_format),
                lambda rows: np.dstack([plate.pixels[rows], alpha[rows] / scale]),
                self._attributes,
                like=self.reader.path(frame),
            )

        return {self.path(frame): write}

    def describe(self) -> Mapping[str, Any]:
        """The sample type and colour space, which are the footage's."""
        space = ocio.in_words(self.job.footage)
        kept = f"{self.reader.float_format} values as in the footage, colour space {space}"
        return {"files": f"straight RGBA EXR, {kept}{in_words(self.job)}"}
