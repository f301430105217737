"""A version with two sets of masks: one for aligning the cameras, one for training.

Walk-around: the scene stands still and the camera moves. Alignment uses everything except objects that are tracked but
not exported, such as people or the rig. Turntable: the subject turns in front of a fixed background. Alignment uses the
subject alone, because features of the background would show a camera that does not move. In both cases training uses
the subject.

A target that trains gets `alignment/<name>.png` beside its own files, as COLMAP's mask path and Spirula Studio's
`--mask-dir` read them (COLMAP 4.1, src/colmap/controllers/image_reader.cc; Spirula Studio v2026.8.20,
src/sfm/core/Mask.h). For a target that aligns, the target's own files are the alignment masks, and the training masks
are `training/<stem>.png`. All masks have the orientation of the stored pixels.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...contract.job import Job
from ...contract.layout import version_document
from ..footage.footage import Reader
from .png import write_grey
from .writer import BaseWriter, MatteOf, Step, Write

_ALIGNMENT = "alignment/{name}.png"
_TRAINING = "training/{stem}.png"
_TO_ALIGN = {
    "colmap": {"COLMAP": "--ImageReader.mask_path VERSION"},
    "realityscan": {"RealityScan": "the version's .mask.png files beside the images"},
    "metashape": {"Metashape": "import masks from file, template {filename}.png"},
    "": {
        "COLMAP": "--ImageReader.mask_path VERSION/alignment",
        "Metashape": "import masks from file, folder alignment, template as the images end: {filename}.JPG.png",
        "RealityScan": "write a version for RealityScan: it looks for other names",
        "Spirula Studio": "spirula sfm auto --mask-dir VERSION/alignment",
    },
}
_TO_TRAIN = {
    "postshot": {"Postshot": "import the version's PNGs, without its folder alignment, and the aligned cameras"},
    "masks": {"any": "the version's PNGs, without its folder alignment, as masks"},
    "nerfstudio": {"nerfstudio": "copy masks and transforms.json into the data set's folder"},
    "brush": {"Brush": "copy masks beside the images; no flag: --alpha-mode masked is the default with masks"},
    "lichtfeld": {"LichtFeld Studio": "copy masks beside the images; mask mode segment, or as mask_mode says here"},
    "spirula": {"Spirula Studio": "copy masks beside the images; apply_loss_for_mask to cut the subject out"},
    "": {
        "Brush, LichtFeld Studio, Spirula Studio": "copy training beside the images as masks",
        "Postshot": "copy training beside the images as masks; mask mode Remove Background",
        "nerfstudio": "masks_path training, or mask_path of each frame in transforms.json",
    },
}


def settings_of_programs(version: Path) -> list[str]:
    """Return what to set in each program, one line each, for a version's report; empty if it has one set only."""
    facts = json.loads(version_document(version).read_text(encoding="utf-8"))["report"]["export"]
    return [
        f"To {use}, {program}: {words}".replace("VERSION", str(version))
        for use in ("align", "train")
        for program, words in facts.get(f"to_{use}", {}).items()
    ]


class Writer(BaseWriter):
    """Writes the files of another writer together with the second set of masks."""

    def __init__(self, job: Job, reader: Reader, own: BaseWriter) -> None:
        self._own = own
        super().__init__(job, reader)
        self._moving = [
            matte_object.name for matte_object in job.objects if not matte_object.export and not matte_object.shadow
        ]

    def frames(self, tracked: Sequence[int]) -> Sequence[int]:
        """Return the frames of the target."""
        return self._own.frames(tracked)

    def frame_files(self, frame: int, matte: MatteOf) -> Mapping[str, Write]:
        """The target's files and one mask of the second set."""
        self._own.strength = self.strength
        if self.rules.pair == "aligns":
            own = self._own.frame_files(frame, lambda at, _: self._seen(at, matte))
            return {**own, self._placed(_TRAINING, frame): self._mask(frame, lambda: matte(frame, None))}
        own = self._own.frame_files(frame, matte)
        return {**own, self._placed(_ALIGNMENT, frame): self._mask(frame, lambda: self._seen(frame, matte))}

    def other_files(self, frames: Sequence[int], matte: MatteOf, step: Step) -> Mapping[str, Write]:
        """Return the other files of the target."""
        return self._own.other_files(frames, matte, step)

    def describe(self) -> Mapping[str, Any]:
        """Describe both sets and the settings for each program. VERSION stands for the version's folder."""
        turntable = self.job.delivery.capture == "turntable"
        left_out = ", ".join(self._moving) or "nothing"
        seen = "the subject alone" if turntable else f"everything, without {left_out}"
        aligns = self.rules.pair == "aligns"
        beside = (
            f"{_TRAINING}: subject white, for training" if aligns else f"{_ALIGNMENT}: white, for alignment: {seen}"
        )
        return {
            **self._own.describe(),
            "capture": self.job.delivery.capture,
            "alignment": seen,
            "beside": f"{beside}; the rest black, as the image's pixels are stored",
            "to_align": _TO_ALIGN[self.job.target if aligns else ""],
            "to_train": _TO_TRAIN["" if aligns else self.job.target],
        }

    def _seen(self, frame: int, matte: MatteOf) -> NDArray[np.uint8]:
        """The area that alignment uses: uint8 (H, W), 0 or 255."""
        if self.job.delivery.capture == "turntable":
            return matte(frame, None)
        seen = np.full((self.job.footage.height, self.job.footage.width), 255, np.uint8)
        for name in self._moving:
            seen[matte(frame, name) >= 128] = 0
        return seen

    def _mask(self, frame: int, made: Callable[[], NDArray[np.uint8]]) -> Write:
        def write(file: BinaryIO) -> None:
            hard = np.where(made() >= 128, np.uint8(255), np.uint8(0))
            write_grey(file, self.reader.as_stored(hard, frame))

        return write
