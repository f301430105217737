"""Reading the frames of a Job's footage as pixels."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import os
import threading
import unicodedata
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...contract.errors import FootageError
from ...contract.exif import read_orientation
from ...contract.job_types import Footage
from . import images, ocio, panorama
from .camera_files import is_raw
from .colour_config import digest
from .images import Pixels, Plate, read_header, read_model_input, read_plate, squash, to_8_bit
from .movie import Movie
from .ocio import ToSrgb, to_srgb_of
from .scan import join, scan

__all__ = ["Plate", "Reader", "decoding_threads", "join", "read_ahead", "scan"]


def _facts(file: str, root: Path) -> list[Any]:
    """Facts that change when a file changes, but not when all footage moves to another folder. Raises FootageError."""
    try:
        status = os.stat(file)  # noqa: PTH116
        return [os.path.relpath(file, root), status.st_size, status.st_mtime_ns, read_orientation(file)]
    except OSError as error:
        raise FootageError(
            f"This file can't be read: {error.strerror}.", where=file, hint="Put it back, or load the footage again."
        ) from None


def _hint(is_movie: bool, lies_across: bool) -> str:
    """The hint for an image of another size."""
    if is_movie:
        return "Load the clip again: the file is another one, or is shown otherwise, than when it was marked."
    if lies_across:
        return (
            "Photos held upright and lying can't be one sequence. Put those held otherwise in a folder of their own "
            "and track each folder for itself: mattes keep the photos' names, so the results can be put together again."
        )
    return "All images of a sequence must have one size: render it again, or take it out."


def _state(file: str) -> tuple[int, int, int]:
    """Facts by which a file differs from another one that replaced it. Raises FootageError."""
    try:
        status = os.stat(file)  # noqa: PTH116
    except OSError as error:
        raise FootageError(
            f"This file can't be read: {error.strerror}.", where=file, hint="Put it back, or load the footage again."
        ) from None
    return status.st_size, status.st_mtime_ns, status.st_ino


def _same(name: str) -> str:
    """The normal form of a name. Two names with the same form are one file on systems that ignore case or accents."""
    return unicodedata.normalize("NFC", name).casefold()


class Reader:
    """The frames of a Job's footage as pixels. Thread-safe. `frame` is a clip frame; the first is 1.

    Files are opened when their frame is first read.
    """

    def __init__(self, footage: Footage) -> None:
        self._footage = footage
        self._lock = threading.Lock()
        self._opened: Movie | None = None
        self._seen: dict[str, tuple[int, int, int]] = {}  # by file, since the fingerprint was made
        self._last = threading.local()

    @functools.cached_property
    def to_srgb(self) -> ToSrgb:
        """The function that converts float pixels to sRGB. Raises JobError if the colour space is unknown."""
        return to_srgb_of(self._footage)

    def check(self, last: int | None = None) -> None:
        """Check the header of every file, that all have the same size, and that a movie has enough frames.

        Args:
            last: the last clip frame that will be read; None: the last one of the footage.

        Raises:
            FootageError: names the first file that is missing, not an image, CMYK or of another size, or whose output
                would have the same name as another file's.
        """
        footage = self._footage
        if footage.colour_space:
            ocio.check(footage)
        if footage.movie:
            movie_file = self._movie
            self._check_size(footage.files[0], movie_file.width, movie_file.height)
            movie_file.check_numbering(footage.movie_offset + footage.frame_count)
            movie_file.check_has(footage.movie_offset + (last or footage.frame_count))
            movie_file.check_count(footage.movie_offset + footage.frame_count)
            return
        names: dict[str, str] = {}
        for file in footage.files:
            header = read_header(Path(file), footage.layer)
            self._check_size(file, header.width, header.height)
            name = self._below_root(Path(file).with_suffix(""))
            if _same(name) in names:
                raise FootageError(
                    f"It has the same base name as {names[_same(name)]}, so both mattes would be called {name}.png.",
                    where=file,
                    hint="Rename one, or take one of them out of the footage.",
                )
            names[_same(name)] = Path(file).name

    def check_flat(self) -> None:
        """Check that no two images differ only in their folders. Raises FootageError."""
        names: dict[str, str] = {}
        for file in self._footage.files:
            name = _same(Path(file).stem)
            if name in names:
                raise FootageError(
                    f"This image has the same base name as {names[name]}, and this target's program ignores folders.",
                    where=file,
                    hint="Rename one of them, or export each folder for itself.",
                )
            names[name] = file

    def _check_size(self, file: str, width: int, height: int) -> None:
        wanted = (self._footage.width, self._footage.height)
        if (width, height) != wanted:
            raise FootageError(
                f"This image has {width} x {height} pixels, but the footage has {wanted[0]} x {wanted[1]}.",
                where=file,
                hint=_hint(self._footage.movie, (width, height) == wanted[::-1]),
            )

    def fingerprint(self) -> str:
        """A sha256 that changes when a file's name, size, time or orientation changes, or what the colour config says.

        Raises FootageError, JobError.

        It is made at the first call and then kept, as it takes a while for thousands of photos.
        """
        return self._fingerprint

    @functools.cached_property
    def _fingerprint(self) -> str:
        self._seen = {file: _state(file) for file in self._footage.files}
        facts: list[Any] = [self._footage.movie, self._footage.movie_offset]
        if self._footage.movie:
            facts += self._movie.assumed
        facts += [_facts(file, self._root) for file in self._footage.files]
        if self._footage.colour_space:
            facts += [self._footage.colour_space, digest(self._footage.colour_config)]
        if self._footage.panorama:
            facts.append("panorama")
        if self._footage.layer:
            facts.append(["layer", self._footage.layer])
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def check_unchanged(self, files: Sequence[str] | None = None) -> None:
        """Check that files have not changed since the fingerprint was made; None: all files. Raises FootageError.

        Otherwise mattes of changed files would be stored under the wrong key, and stay there after the files are put
        back.
        """
        for file in self._seen if files is None else files:
            if file in self._seen and _state(file) != self._seen[file]:
                raise FootageError(
                    "This file was changed while it was read.",
                    where=file,
                    hint="Wait until nothing writes there and run it again: what fits the new files is kept.",
                )

    def is_unchanged(self) -> bool:
        """Whether no file has changed since the fingerprint was made."""
        try:
            self.check_unchanged()
        except FootageError:
            return False
        return True

    def fingerprint_of(self, frame: int) -> str:
        """A sha256 that changes when the frame's image, the movie or the colour config does. Raises MatteError."""
        number = self._footage.movie_offset + frame if self._footage.movie else 0
        file = self._footage.files[0 if self._footage.movie else frame - 1]
        facts = [number, self._footage.colour_space, _facts(file, self._root)]
        if self._footage.colour_space:
            facts.append(digest(self._footage.colour_config))
        if self._footage.layer:
            facts.append(["layer", self._footage.layer])
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    @functools.cached_property
    def _header(self) -> images.Header:
        return read_header(Path(self._footage.files[0]), self._footage.layer)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the first frame's `Plate.pixels`: uint8, uint16 or float32. Raises FootageError."""
        return self._movie.dtype if self._footage.movie else self._header.dtype

    @property
    def is_panorama(self) -> bool:
        """Whether it is 360-degree footage."""
        return self._footage.panorama

    @property
    def is_raw(self) -> bool:
        """Whether the footage consists of RAW files, whose colours are developed here."""
        return is_raw(Path(self._footage.files[0]))

    @property
    def frame_rate(self) -> Fraction | None:
        """A movie's frames per second; None for image sequences. Raises FootageError."""
        return self._movie.frame_rate if self._footage.movie else None

    @property
    def cicp(self) -> tuple[int, int] | None:
        """A movie's `Plate.cicp`. Raises FootageError."""
        return self._movie.cicp if self._footage.movie else None

    @property
    def float_format(self) -> str:
        """The type of the float samples in the first frame's file: half or float. Raises FootageError."""
        return images.float_format(Path(self._footage.files[0]), self._footage.layer)

    def path(self, frame: int) -> Path:
        """The file that contains a frame."""
        return Path(self._footage.files[0]) if self._footage.movie else self._file(frame)

    def stem(self, frame: int) -> str:
        """The base name of a frame's output: the image's, with its folder below the root, or `<movie>_000001`."""
        if self._footage.movie:
            return f"{Path(self._footage.files[0]).stem}_{frame:06d}"
        return self._below_root(self._file(frame).with_suffix(""))

    def file_name(self, frame: int) -> str:
        """The name of a frame's image for other programs: `stem` with the image's suffix, or `<movie>_000001.png`."""
        return f"{self.stem(frame)}.png" if self._footage.movie else self._below_root(self._file(frame))

    def _below_root(self, file: Path) -> str:
        return file.relative_to(self._root).as_posix()

    @functools.cached_property
    def _root(self) -> Path:
        return self._footage.root

    def as_stored(self, upright: NDArray[np.uint8], frame: int) -> NDArray[np.uint8]:
        """Turn an upright image (H, W) to the orientation of the frame's stored pixels, before EXIF orientation."""
        return upright if self._footage.movie else images.as_stored(upright, images.orientation_of(self._file(frame)))

    def upright(self, stored: NDArray[Any], frame: int) -> NDArray[Any]:
        """The inverse of `as_stored`."""
        turned: NDArray[Any] = (
            stored if self._footage.movie else images.upright(stored, images.orientation_of(self._file(frame)))
        )
        return turned

    def plate(self, frame: int, *, alpha: bool = False) -> Plate:
        """A frame at full size and depth, with its alpha channel if `alpha` is set. Raises FootageError.

        Each thread keeps its last plate, as refining and writing a matte need the same one. Callers must not change it.
        """
        last: Any = self._last
        if getattr(last, "frame", None) != frame or (alpha and not last.alpha):
            last.frame = last.plate = None  # before the next is read: plates are large
            last.plate = self._read(frame, alpha)
            self.check_unchanged([str(self.path(frame))])
            last.frame, last.alpha = frame, alpha
        plate: Plate = last.plate
        return plate

    def own_pixels(self, plate: Plate) -> Pixels:
        """The pixels of the plate that `plate` last returned on this thread, which the caller may change."""
        self._last.frame = self._last.plate = None
        shared = self._footage.movie or not plate.pixels.flags.writeable  # a movie keeps frames of its own
        return plate.pixels.copy() if shared else plate.pixels

    def _read(self, frame: int, alpha: bool) -> Plate:
        if self._footage.movie:
            index = self._footage.movie_offset + frame - 1
            transparency = self._movie.alpha(index) if alpha else None
            return Plate(self._movie.pixels(index), alpha=transparency, cicp=self._movie.cicp)
        return read_plate(self._file(frame), alpha=alpha, layer=self._footage.layer)

    def model_input(self, frame: int, side: int) -> NDArray[np.uint8]:
        """A frame as SAM 2's input: uint8 (side, side, 3) sRGB. A panorama is widened. Raises FootageError."""
        if self._footage.movie:
            pixels = squash(to_8_bit(self._movie.pixels(self._footage.movie_offset + frame - 1)), side)
        else:
            pixels = read_model_input(self._file(frame), side, self.to_srgb, layer=self._footage.layer)
        self.check_unchanged([str(self.path(frame))])
        return panorama.widen(pixels) if self._footage.panorama else pixels

    def _file(self, frame: int) -> Path:
        return Path(self._footage.files[frame - 1])

    @property
    def _movie(self) -> Movie:
        with self._lock:
            if self._opened is None:
                self._opened = Movie(Path(self._footage.files[0]))
            return self._opened


def decoding_threads(depth: int) -> int:
    """The number of threads for `read_ahead`: at most half of the machine's, to leave some for other work."""
    return min(depth, max(1, (os.cpu_count() or 1) // 2))


def read_ahead(
    reader: Reader, frames: Iterable[int], side: int, depth: int
) -> Generator[tuple[int, NDArray[np.uint8]], None, None]:
    """Yield (frame, model input) in the order of `frames`, decoded in threads ahead of use.

    At most `depth` frames are decoded, or being decoded, ahead. Closing the iterator ends the threads. An error is
    raised when the turn of its frame comes.
    """
    threads = decoding_threads(depth)
    order = iter(frames)
    ahead: deque[tuple[int, Future[NDArray[np.uint8]]]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="read-ahead")

    def start(count: int) -> None:
        for frame in itertools.islice(order, count):
            ahead.append((frame, pool.submit(reader.model_input, frame, side)))

    try:
        start(depth)
        while ahead:
            frame, future = ahead.popleft()
            pixels = future.result()
            start(1)
            yield frame, pixels
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
