"""Static masks: areas of a camera's picture that never belong to the scene and do not move in it.

Examples are a tripod, the operator, a car's hood or a lens hood. They are left out of every export: black in masks and
alpha 0 in images, even if the Job inverts the matte.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...contract.boundary import reading
from ...contract.errors import JobError
from ...contract.job import Job
from ...contract.job_types import Footage, StaticMask
from ..footage.footage import Reader
from ..footage.mask_images import read_mask
from ..footage.polygons import fill

Drawn = NDArray[np.uint8]  # (h, w), 255 in static areas, else 0


class StaticMasks:
    """The static masks of a Job. Several threads may use it.

    Args:
        job: the Job with the masks.
        reader: the footage, which tells the camera of a frame.
        subject_is_left_out: whether the export leaves the subject out; then the masks are added to the subject.

    Raises:
        JobError: a mask can't be read, or its size differs from that of the footage; the error names the file.
    """

    def __init__(self, job: Job, reader: Reader, *, subject_is_left_out: bool = False) -> None:
        self._masks = job.static_masks
        self._footage = job.footage
        self._reader = reader
        self._is_added = subject_is_left_out
        self._lock = threading.Lock()
        self._drawn: dict[tuple[str, tuple[int, int]], Drawn | None] = {}
        for mask in self._masks:
            if mask.mask.file:
                _drawn(mask, self._footage)
        facts = {"static": [[mask.camera, _facts(mask)] for mask in self._masks], "added": self._is_added}
        # everything that determines the masks, for keys; empty without masks
        self.facts: Mapping[str, Any] = facts if self._masks else {}

    def camera_of(self, frame: int) -> str:
        """The folder of a frame's image relative to the footage's root, with `/`; empty if there is only one folder."""
        folder = PurePosixPath(self._reader.file_name(frame)).parent.as_posix()
        return "" if folder == "." else folder

    def of_camera(self, camera: str, size: tuple[int, int]) -> Drawn | None:
        """The union of a camera's masks, upright, (h, w), at `size` (w, h); None if it has none."""
        with self._lock:
            if (camera, size) not in self._drawn:
                found = [_drawn(mask, self._footage) for mask in self._masks if mask.camera in ("", camera)]
                whole = functools.reduce(np.maximum, found) if found else None
                if whole is not None and whole.shape[::-1] != size:
                    whole = np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA) > 0, np.uint8) * 255
                self._drawn[camera, size] = whole
            return self._drawn[camera, size]

    def applied(self, matte: NDArray[np.uint8], frame: int) -> NDArray[np.uint8]:
        """The matte (h, w) of a clip frame with static areas left out of the export. `matte` is not modified."""
        if not self._masks:
            return matte
        high, wide = matte.shape
        static = self.of_camera(self.camera_of(frame), (wide, high))
        if static is None:
            return matte
        return matte | static if self._is_added else matte & ~static


def _facts(mask: StaticMask) -> Any:
    if not mask.mask.file:
        return [mask.mask.polygons, mask.mask.holes]
    with reading(JobError, "This mask can't be read", where=mask.mask.file):
        return hashlib.sha256(Path(mask.mask.file).read_bytes()).hexdigest()


def _drawn(mask: StaticMask, footage: Footage) -> Drawn:
    size = footage.width, footage.height
    if mask.mask.file:
        hint = "Draw it on an upright image of the footage."
        with reading(JobError, "This mask can't be read", where=mask.mask.file, hint=hint):
            drawn = read_mask(Path(mask.mask.file))
        if drawn.shape[::-1] != size:
            raise JobError(
                f"It has {drawn.shape[1]} x {drawn.shape[0]} pixels, the footage {size[0]} x {size[1]}.",
                where=mask.mask.file,
                hint=hint,
            )
        return drawn
    canvas = np.zeros(size[::-1], np.uint8)
    fill(canvas, mask.mask.polygons, 1.0, 1.0, holes=mask.mask.holes)
    return canvas
