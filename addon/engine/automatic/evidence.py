"""A splat trainer's evidence of transients: a rough mask and an L1 difference per image, matched to the clip's frames.

T-3DGS writes `masks/*.png` and `diffs/*.png`. The polarity of the masks depends on the trainer's version.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...contract.automatic import Polarity, Transients
from ...contract.boundary import reading
from ...contract.errors import JobError
from ...contract.job_types import Footage
from ..footage.footage import Reader
from ..footage.images import SUFFIXES, open_image
from ..footage.scan import natural
from .grid import Mask, mask_size, resized

_ASPECT = 0.02  # accepted relative difference between the aspect ratios of a folder's images and of the footage
_LOOKED_AT = 32  # number of frames from which the polarity is determined


@dataclass(frozen=True, slots=True)
class Rough:
    """The evidence of one frame. mask: bool (h, w), True where something moves; diff: float32 (h, w), 0..1."""

    mask: Mask
    diff: NDArray[np.float32]


class Evidence:
    """Rough masks and differences of the clip frames `frames`. They are read on demand.

    Raises JobError that names the folder or file, if images are missing, too many, or of other names or another shape.
    """

    def __init__(self, search: Transients, footage: Footage, reader: Reader, frames: range) -> None:
        self._size = mask_size(footage.width, footage.height)
        self._masks = _match(Path(search.masks), footage, reader, frames, "transients.masks")
        self._diffs = _match(Path(search.diffs), footage, reader, frames, "transients.diffs")
        self._shape = (footage.width, footage.height)
        for file in (*self._masks.values(), *self._diffs.values()):
            self._check(file)
        self._white = self._white_moves(search.polarity)

    @property
    def size(self) -> tuple[int, int]:
        """The size (height, width) of the arrays that `rough` returns."""
        return self._size

    @property
    def polarity(self) -> str:
        """The colour of moving areas, in words."""
        return "white" if self._white else "black"

    def rough(self, frame: int) -> Rough:
        """Read the evidence of a clip frame. Raises JobError that names the file."""
        mask = _read(self._masks[frame]) > 0 if self._white else _read(self._masks[frame]) == 0
        diff = cv2.resize(_read(self._diffs[frame]), self._size[::-1], interpolation=cv2.INTER_AREA)
        return Rough(resized(mask, self._size), diff.astype(np.float32) / np.float32(255))

    def fingerprint(self) -> str:
        """A sha256 that changes whenever one of the files changes."""
        facts = []
        for file in (*self._masks.values(), *self._diffs.values()):
            status = file.stat()
            facts.append([str(file), status.st_size, status.st_mtime_ns])
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def _check(self, file: Path) -> None:
        with _opened(file) as image:
            width, height = image.size
        if abs(width * self._shape[1] / (height * self._shape[0]) - 1) > _ASPECT:
            raise JobError(
                f"It has {width} x {height} pixels, another shape than the footage's {self._shape[0]} x "
                f"{self._shape[1]}.",
                where=str(file),
                hint="Name the folder that belongs to this footage.",
            )

    def _white_moves(self, polarity: Polarity) -> bool:
        """Whether white marks moving areas: as given, or else the colour under which photo and render differ more."""
        if polarity != "auto":
            return polarity == "white"
        frames = list(self._masks)
        inside, outside, white, pixels = 0.0, 0.0, 0, 0
        for frame in frames[:: max(1, len(frames) // _LOOKED_AT)]:
            mask = resized(_read(self._masks[frame]) > 0, self._size)
            diff = cv2.resize(_read(self._diffs[frame]), self._size[::-1], interpolation=cv2.INTER_AREA)
            inside += float(diff[mask].sum())
            outside += float(diff[~mask].sum())
            white += int(mask.sum())
            pixels += mask.size
        if not 0 < white < pixels:  # a mask of one colour says nothing
            return white == 0
        return inside / white >= outside / (pixels - white)


def _match(folder: Path, footage: Footage, reader: Reader, frames: range, where: str) -> dict[int, Path]:
    """The file of every clip frame: by name, or if no name matches, by natural order if there are as many as frames."""
    try:
        images = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES]
    except OSError as error:
        raise JobError(f"The folder can't be read: {error.strerror}.", where=f"{where}: {folder}") from None
    files = sorted(images, key=lambda path: (path.parent, natural(path)))
    if not files:
        raise JobError("There are no images in it.", where=f"{where}: {folder}", hint="Choose the trainer's folder.")
    by_name: dict[str, Path] = {}
    for file in files:
        below = file.relative_to(folder)
        by_name[below.with_suffix("").as_posix()] = by_name[below.as_posix()] = file
    named = {frame: by_name.get(reader.stem(frame)) or by_name.get(reader.file_name(frame)) for frame in frames}
    found = {frame: file for frame, file in named.items() if file is not None}
    if len(found) == len(frames):
        return found
    count = footage.frame_count
    if not found and len(files) == count:
        return {frame: files[frame - 1] for frame in frames}
    if found:
        first = next(frame for frame in frames if frame not in found)
        raise JobError(
            f"There is no image for {reader.file_name(first)}; {len(found)} of {len(frames)} frames have one.",
            where=f"{where}: {folder}",
            hint="Every frame needs one, named as the frame is; a black one says nothing.",
        )
    raise JobError(
        f"It has {len(files)} images, the footage {count}, and none has the name of a frame ({files[0].name}, "
        f"{reader.file_name(frames[0])}).",
        where=f"{where}: {folder}",
        hint="Name them as the frames are, or give as many as there are frames.",
    )


def _read(file: Path) -> NDArray[np.uint8]:
    """Read an image as grey, (h, w)."""
    with _opened(file) as image:
        deep = image.mode.startswith("I")
        pixels = np.asarray(image if deep else image.convert("L"))
    return (pixels >> 8).astype(np.uint8) if deep else pixels


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    """Open an image of the trainer. Raises JobError that names the file."""
    with (
        reading(JobError, "The image can't be read", where=str(file), hint="Write it again."),
        open_image(file) as image,
    ):
        yield image
