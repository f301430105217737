"""Frames of a movie file, through PyAV: the same pixels in whatever order they are asked for.

A movie is read from front to back; asking for an earlier frame goes back to the last keyframe before it and decodes
from there. What was decoded on the way stays, within bounds, so that reading backwards does not decode everything
anew for each frame.
"""

from __future__ import annotations

import bisect
import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from ...contract.boundary import check_pixels, reading
from ...contract.errors import FootageError
from ...contract.exif import oriented_size
from .images import upright

SUFFIXES = frozenset(
    {".mov", ".mp4", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mts", ".m2ts", ".ts", ".mxf", ".ogv", ".wmv"}
)
# With more, ffmpeg now and then gets the rows wrong where two threads meet (sizes that are no multiple of 16): seen on
# busy machines, in 1 of 10 frames and by half the range of values.
CONVERT_THREADS = 1
_CACHE_BYTES = 256 * 1024 * 1024  # of decoded frames, as the codec delivers them
_ROUNDED = 2  # frames that a duration and a rate may be wrong by
# counterclockwise degrees of a display matrix, as the EXIF orientation that turns alike
_ORIENTATIONS = {0: 1, 90: 8, 180: 3, -180: 3, 270: 6, -90: 6}


class Movie:
    """One movie file; thread-safe. `index` counts frames from 0 in the order they are shown.

    A variable frame rate is not made constant: every frame of the file counts as one.

    Raises FootageError if it can't be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._decoded: OrderedDict[int, VideoFrame] = OrderedDict()
        self._cache_size = 1
        self._open()
        self._times, self._keys = self._scan()
        self._missing = self._count_missing()
        self._indices = {time: i for i, time in enumerate(self._times)}
        self._key_set = frozenset(self._keys)
        self._open()
        first = self._frame(0)
        self.orientation = _ORIENTATIONS.get(round(first.rotation), 1)
        self.width, self.height = oriented_size(first.width, first.height, self.orientation)
        deep = max(component.bits for component in first.format.components) > 8
        self._pixel_format = "rgb48le" if deep else "rgb24"
        self.dtype: np.dtype[Any] = np.dtype(np.uint16 if deep else np.uint8)
        self._cache_size = max(2, _CACHE_BYTES // sum(plane.buffer_size for plane in first.planes))

    def __len__(self) -> int:
        """Frames in the file."""
        return len(self._times)

    @property
    def missing(self) -> int:
        """How many frames its container says there are, beyond those that it has: one that was cut short, mostly.

        By its duration and rate; 0 where these say nothing, and of a variable rate.
        """
        return self._missing

    def check_has(self, number: int) -> None:
        """Raises FootageError unless it has frame `number`, from 1."""
        if not 1 <= number <= len(self):
            cut = f" It says that it has {len(self) + self.missing}: it is cut short." if self.missing else ""
            raise FootageError(
                f"The movie has {len(self)} frames; number {number} was asked for.{cut}",
                where=str(self.path),
                hint=f"Limit the range to {len(self)} frames.",
            )

    @property
    def has_constant_rate(self) -> bool:
        """Whether all frames are shown for equally long, to two ticks of the file's clock."""
        steps = np.diff(self._times)
        return not len(steps) or int(steps.max() - steps.min()) <= 2

    @property
    def frame_rate(self) -> Fraction | None:
        """Frames a second, if the file says so."""
        return self._stream.average_rate

    def pixels(self, index: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """(H, W, 3) upright RGB, uint8, or uint16 where the movie has more than 8 bits. Raises FootageError."""
        with self._lock:
            frame = self._frame(index)
            with self._reading():
                rgb = frame.to_ndarray(format=self._pixel_format, threads=CONVERT_THREADS)
        pixels: NDArray[np.uint8] | NDArray[np.uint16] = upright(rgb, self.orientation)
        return pixels

    def alpha(self, index: int) -> NDArray[np.uint8] | NDArray[np.uint16] | None:
        """(H, W) upright, of the dtype of `pixels`; None if the movie has none. Raises FootageError."""
        with self._lock:
            frame = self._frame(index)
            if not any(component.is_alpha for component in frame.format.components):
                return None
            pixel_format = self._pixel_format.replace("rgb48", "rgba64").replace("rgb24", "rgba")
            with self._reading():
                rgba = frame.to_ndarray(format=pixel_format, threads=CONVERT_THREADS)
        found: NDArray[np.uint8] | NDArray[np.uint16] = upright(rgba[..., 3], self.orientation)
        return found

    def _open(self) -> None:
        """Start at the first frame."""
        with self._reading():
            # titles in old files are of any encoding, and nothing here reads them
            self._container = av.open(str(self.path), metadata_errors="replace")
            if not self._container.streams.video:
                raise FootageError("The file has no video.", where=str(self.path), hint="Choose another movie.")
            self._stream = self._container.streams.video[0]
            check_pixels(self._stream.width, self._stream.height, FootageError, str(self.path))
            self._stream.thread_type = "AUTO"
            self._frames = self._container.decode(self._stream)
        self._next, self._at_key = 0, True

    def _scan(self) -> tuple[list[int], list[int]]:
        """When each frame is shown, ascending, and the indices of those that decoding can start from.

        Reads packets, decodes nothing. A file that doesn't time its packets is decoded once to learn its times.
        """
        with self._reading():
            packets = [
                (packet.pts, packet.is_keyframe)
                for packet in self._container.demux(self._stream)
                if packet.size and not packet.is_discard
            ]
            timed = sorted((time, is_key) for time, is_key in packets if time is not None)
            times = [time for time, _ in timed]
            keys = [i for i, (_, is_key) in enumerate(timed) if is_key]
            if len(set(times)) < len(packets):
                self._open()
                times = sorted({frame.pts for frame in self._frames if frame.pts is not None})
                keys = []
        if not times:
            raise FootageError("The movie has no frames.", where=str(self.path), hint="Export it again.")
        return times, keys

    def _count_missing(self) -> int:
        stream, container = self._stream, self._container
        seconds = Fraction(0)
        if stream.duration and stream.time_base:
            seconds = stream.duration * stream.time_base
        elif container.duration and len(container.streams) == 1:  # a sound track may be longer
            seconds = Fraction(container.duration, av.time_base)
        claimed = int(seconds * (stream.average_rate or 0)) if self.has_constant_rate else 0
        if container.format.name == "avi":  # ffmpeg sets the duration of one that is cut; MOV counts what edits hide
            claimed = max(claimed, stream.frames)
        return claimed - len(self) if claimed - len(self) > _ROUNDED else 0

    def _frame(self, index: int) -> VideoFrame:
        self.check_has(index + 1)
        if index in self._decoded:
            return self._decoded[index]
        key = self._keys[bisect.bisect_right(self._keys, index) - 1] if self._keys else 0
        starts = [key, 0]  # from the start if the seek lands too late, as some containers let it
        if key <= self._next <= index:
            starts.insert(0, -1)  # just go on
        with self._reading():
            for start in starts:
                if start >= 0:
                    self._seek(start)
                for at, frame in self._forward():
                    self._decoded[at] = frame
                    if len(self._decoded) > self._cache_size:
                        self._decoded.popitem(last=False)
                    if at == index:
                        return frame
                    if at > index:
                        break
        raise FootageError(
            f"Frame {index + 1} can't be decoded.", where=str(self.path), hint="Convert the movie to an image sequence."
        )

    def _seek(self, start: int) -> None:
        if start == 0:
            self._open()
            return
        self._container.seek(self._times[start], stream=self._stream)
        self._frames = self._container.decode(self._stream)
        self._next, self._at_key = start, False

    def _forward(self) -> Iterator[tuple[int, VideoFrame]]:
        """The next frames and their indices; after a seek not those before the keyframe, which lack references."""
        for frame in self._frames:
            index = self._indices.get(frame.pts) if frame.pts is not None else None
            self._at_key = self._at_key or index in self._key_set
            if index is not None and self._at_key:
                self._next = index + 1
                yield index, frame

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """What PyAV raises, as a FootageError that names the file."""
        hint = "Copy or export it again, or convert it to an image sequence."
        with reading(FootageError, "The movie is damaged or can't be read", where=str(self.path), hint=hint):
            try:
                yield
            except FileNotFoundError:
                raise FootageError(
                    "The movie is missing.", where=str(self.path), hint="Put it back, or load the footage again."
                ) from None
