"""Static masks: what is always at the same place in a camera's picture and never belongs to the scene.

A tripod, the operator, a car's hood, a lens hood. It is left out of whatever is exported: black in masks, alpha 0 in
images, also where the Job swaps the subject and the rest.
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

Drawn = NDArray[np.uint8]  # (h, w), 255 where nothing belongs to the scene, else 0


class StaticMasks:
    """The static masks of a Job. May be asked from several threads.

    Args:
        job: whose masks they are.
        reader: says which camera a frame is of.
        subject_is_left_out: whether what is exported leaves the subject out: then the masks are added to it.

    Raises:
        JobError: a mask can't be read, or has another size than the footage; it names the file.
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
        # what decides them, for keys; nothing without any
        self.facts: Mapping[str, Any] = facts if self._masks else {}

    def camera_of(self, frame: int) -> str:
        """The folder of a clip frame's image below the footage's root, with `/`; empty if there is one folder only."""
        folder = PurePosixPath(self._reader.file_name(frame)).parent.as_posix()
        return "" if folder == "." else folder

    def of_camera(self, camera: str, size: tuple[int, int]) -> Drawn | None:
        """The masks of a camera together, upright, (h, w) of `size` (w, h); None if it has none."""
        with self._lock:
            if (camera, size) not in self._drawn:
                found = [_drawn(mask, self._footage) for mask in self._masks if mask.camera in ("", camera)]
                whole = functools.reduce(np.maximum, found) if found else None
                if whole is not None and whole.shape[::-1] != size:
                    whole = np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA) > 0, np.uint8) * 255
                self._drawn[camera, size] = whole
            return self._drawn[camera, size]

    def applied(self, matte: NDArray[np.uint8], frame: int) -> NDArray[np.uint8]:
        """A matte, (h, w) of a clip frame, with nothing of the masks in what is exported. The argument stays."""
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
