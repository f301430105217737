"""Segments: all parts that a search found, as overlapping masks with ids and as an image of ids."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, BinaryIO

from ...contract.disk import write_bytes
from ...contract.errors import JobError
from ...contract.job import Job
from ..automatic.part_masks import PartMasks
from ..footage.footage import Reader
from .png import write_grey
from .writer import BaseWriter, MatteOf, Write


class Writer(BaseWriter):
    """Writes a JSON index and a 16-bit image of ids per frame. `parts` must be set before frames are written."""

    parts: PartMasks

    def __init__(self, job: Job, reader: Reader) -> None:
        super().__init__(job, reader)
        if job.parts is None:
            raise JobError(
                "Only parts that were found are written so.", where="target", hint="Find Parts, or choose another."
            )

    def frame_files(self, frame: int, matte: MatteOf) -> Mapping[str, Write]:
        """The index and the image."""
        footage = self.job.footage

        def write_index(file: BinaryIO) -> None:
            text = json.dumps({"image": self.reader.file_name(frame), **self.parts.document(frame)}, indent=1)
            write_bytes(file, text.encode())

        def write_ids(file: BinaryIO) -> None:
            write_grey(file, self.parts.id_image(frame, footage.width, footage.height))

        return {self.path(frame): write_ids, f"index/{self.reader.stem(frame)}.json": write_index}

    def describe(self) -> Mapping[str, Any]:
        """The file formats and the meaning of the ids."""
        return {
            "files": "16-bit grey PNG, the id of the smallest segment there, 0 elsewhere, upright; index/*.json: all "
            "segments of the frame, overlapping, as COCO RLE"
        }
