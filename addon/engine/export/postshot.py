"""Postshot and compositing: PNGs of the plate with the matte as straight alpha.

Postshot reconstructs nothing where alpha is 0, but reads RGB there, too. Therefore RGB keeps the source's values and
bit depth, unless the Job asks for the subject's colours at its edge. Camera data (EXIF) and the colour profile are
copied. Source: Jawset Postshot's user guide, "Masking".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from ..footage import ocio
from ..footage.images import to_integers
from . import edge_colours
from .alpha import alpha_of, in_words, to_integer_alpha
from .png import write_rgba
from .writer import BaseWriter, MatteOf, Write


class Writer(BaseWriter):
    """Writes integer RGBA with straight alpha."""

    kind = "PNG"
    write_image = staticmethod(write_rgba)

    def frame_files(self, frame: int, matte: MatteOf) -> Mapping[str, Write]:
        """One image."""

        def write(file: BinaryIO) -> None:
            plate = self.reader.plate(frame, alpha=self.job.delivery.plate_alpha == "multiply")
            alpha = to_integer_alpha(alpha_of(plate, frame, matte, self.job))
            pixels = to_integers(plate.pixels, self.reader.to_srgb)
            if self._continues_colours:
                own = self.reader.own_pixels(plate)
                pixels = to_integers(own) if pixels is plate.pixels else pixels
                edge_colours.continue_colours(pixels, alpha)
            self.write_image(file, pixels, alpha, plate.icc, plate.exif, plate.xmp, plate.cicp)

        return {self.path(frame): write}

    @property
    def _continues_colours(self) -> bool:
        return self.job.delivery.edge_colours == "subject"

    def describe(self) -> Mapping[str, Any]:
        """The file format; bit depth and transfer curve depend on the footage."""
        if self.reader.dtype == np.float32:
            space = ocio.in_words(self.job.footage)
            kept = f"16-bit sRGB made from float, {space}: 0 to 1 kept, the rest clipped"
        else:
            kept = f"RGB as in the footage, {8 * self.reader.dtype.itemsize} bits a channel"
            if self.reader.is_raw:
                kept = "RGB developed from RAW (LibRaw, the camera's white balance), 16-bit sRGB"
            if self.reader.cicp:
                primaries, transfer = self.reader.cicp
                kept += f", colours not converted: primaries {primaries}, transfer {transfer} of ISO/IEC 23091-2"
        if self._continues_colours:
            reach = edge_colours.reach(self.job.footage.height, self.job.footage.width)
            kept += f", but for the subject's own colours at its edge and up to {reach} pixels beyond"
        return {"files": f"straight RGBA {self.kind}, {kept}{in_words(self.job)}"}
