"""The frames of a movie file, read with PyAV. The pixels of a frame don't depend on the order of reading.

A movie is decoded from front to back. For an earlier frame the reader seeks to the last keyframe before it and decodes
from there. Frames that are decoded on the way are cached, within a limit, so reading backwards does not decode
everything again for each frame.

Frames have the numbers of Blender's clip editor (imbuf/movie/intern/movie_read.cc, the same from 4.2 to 5.2): frame n
is the picture that is shown n - 1 steps of the frame rate after the start, where the rate is libavformat's guess. At a
constant rate each picture is one frame. At a variable rate some pictures are several frames and some are none.
"""

from __future__ import annotations

import bisect
import contextlib
import math
import threading
from collections import OrderedDict
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream
from numpy.typing import NDArray

from ...contract.boundary import check_pixels, reading
from ...contract.errors import FootageError
from ...contract.exif import oriented_size
from .images import upright

SUFFIXES = frozenset(
    {".mov", ".mp4", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mts", ".m2ts", ".ts", ".mxf", ".ogv", ".wmv"}
)
# With more threads ffmpeg sometimes writes wrong rows where two threads meet (for sizes that are not a multiple of 16).
# This was seen on busy machines, in 1 of 10 frames and by half the range of values.
CONVERT_THREADS = 1
_CACHE_BYTES = 256 * 1024 * 1024  # of decoded frames, as the codec delivers them
_UNSPECIFIED = 2  # ISO/IEC 23091-2: the file does not specify its colours
_ORDINARY_PRIMARIES = (1, 5, 6, 7)  # Rec. 709, and Rec. 601 of both kinds
_HIGH_RANGE = (16, 18)  # PQ (SMPTE ST 2084), HLG (ARIB STD-B67)
_MOST_SHOWN = 1000  # limit of the average number of frames for which a picture is shown
_ROUNDED = 2  # frames by which duration times rate may be wrong
# counterclockwise degrees of a display matrix, and the EXIF orientation of the same rotation
_ORIENTATIONS = {0: 1, 90: 8, 180: 3, -180: 3, 270: 6, -90: 6}


def _moving(container: InputContainer) -> list[VideoStream]:
    """The video tracks of a file, without covers and thumbnails."""
    return [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]


def _importance(track: VideoStream) -> tuple[bool, int]:
    """The sort key of tracks: the main one is marked so, or else the largest. Blender shows the first of equal ones."""
    return bool(track.disposition & Disposition.default), track.width * track.height


def _alpha_decoder(track: VideoStream) -> VideoCodecContext | None:
    """A decoder of VP8 and VP9 with alpha, which ffmpeg's own decoders ignore; None if there is none."""
    name = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(track.codec_context.codec.canonical_name)
    if name is None or ("alpha_mode", "1") not in {(key.casefold(), value) for key, value in track.metadata.items()}:
        return None
    decoder = cast("VideoCodecContext", VideoCodecContext.create(name, "r"))
    decoder.extradata = track.codec_context.extradata
    return decoder


def _is_untagged_hd(frame: VideoFrame) -> bool:
    return bool(frame.colorspace == _UNSPECIFIED and (frame.width >= 1280 or frame.height > 576))


def _wide(primaries: int, transfer: int) -> tuple[int, int] | None:
    """Colour primaries and transfer function (ISO/IEC 23091-2); None if unknown or those of ordinary video."""
    if _UNSPECIFIED in (primaries, transfer) or 0 in (primaries, transfer):
        return None
    return None if primaries in _ORDINARY_PRIMARIES and transfer not in _HIGH_RANGE else (primaries, transfer)


class Movie:
    """A movie file. Thread-safe. `index` counts frames from 0 in the order in which they are shown.

    Raises:
        FootageError: the file can't be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._decoded: OrderedDict[int, VideoFrame] = OrderedDict()
        self._cache_size = 1
        self._stored_size: tuple[int, int] | None = None
        self._open()
        self._times, self._keys = self._scan()
        self._open()
        self._drop_lost()
        self._shown = self._number()
        self._missing = self._count_missing()
        self._indices = {time: i for i, time in enumerate(self._times)}
        self._key_set = frozenset(self._keys)
        self._open()
        first = self._frame(0)
        self._stored_size = first.width, first.height
        # facts that earlier versions assumed otherwise, so that mattes they made of such movies are not used
        self.assumed = ["numbered by time"] * (not self.has_constant_rate) + ["Rec. 709"] * _is_untagged_hd(first)
        self.cicp = _wide(int(first.color_primaries), int(first.color_trc))
        self.orientation = _ORIENTATIONS.get(round(first.rotation), 1)
        self.width, self.height = oriented_size(first.width, first.height, self.orientation)
        deep = max(component.bits for component in first.format.components) > 8
        self._pixel_format = "rgb48le" if deep else "rgb24"
        self.dtype: np.dtype[Any] = np.dtype(np.uint16 if deep else np.uint8)
        self._cache_size = max(2, _CACHE_BYTES // sum(plane.buffer_size for plane in first.planes))

    def __len__(self) -> int:
        """The number of frames."""
        return len(self._shown)

    @property
    def missing(self) -> int:
        """The number of frames that are missing at the end, usually because the file was cut short.

        It follows from the container's duration and rate; 0 if these are unknown or the rate is variable.
        """
        return self._missing

    def check_count(self, count: int) -> None:
        """Check the number of frames that the Job's maker counted. Raises FootageError if the file can't have so many.

        Players count differently: some trust the container, some include frames that an edit list hides. Frames that
        are not there are never read.
        """
        lasts = Fraction(self._container.duration or 0, av.time_base) * (self.frame_rate or 0)
        most = max(len(self) + self.missing, self._stream.frames, math.ceil(lasts)) + _ROUNDED
        if count > most:
            raise FootageError(
                f"The movie has {len(self)} frames; {count} were counted where it was marked.",
                where=str(self.path),
                hint="Load the clip again: the file is another one, or was cut since.",
            )

    def check_has(self, number: int) -> None:
        """Check that frame `number`, counted from 1, exists. Raises FootageError."""
        if not 1 <= number <= len(self):
            cut = f" It says that it has {len(self) + self.missing}: it is cut short." if self.missing else ""
            raise FootageError(
                f"The movie has {len(self)} frames; number {number} was asked for.{cut}",
                where=str(self.path),
                hint=f"Limit the range to {len(self)} frames.",
            )

    @property
    def has_constant_rate(self) -> bool:
        """Whether all frames have the same duration, within two ticks of the file's clock."""
        steps = np.diff(self._times)
        return not len(steps) or int(steps.max() - steps.min()) <= 2

    @property
    def frame_rate(self) -> Fraction | None:
        """Frames per second, on which their numbers are based; None if the file does not specify it."""
        return self._stream.average_rate if self.has_constant_rate else self._stream.guessed_rate

    @property
    def other_tracks(self) -> int:
        """The number of other video tracks in the file, which are not read. Covers don't count."""
        return len(_moving(self._container)) - 1

    def check_numbering(self, last: int) -> None:
        """Check that a movie of variable rate has `last` frames, as the Job's maker counted. Raises FootageError."""
        if not self.has_constant_rate and last != len(self):
            raise FootageError(
                f"It has a variable frame rate, so its numbering is uncertain: {last} frames were counted where it "
                f"was marked, {len(self)} are counted here, at {float(self.frame_rate or 0):g} a second.",
                where=str(self.path),
                hint="Load the clip again; or convert it to a constant frame rate, or to an image sequence.",
            )

    def pixels(self, index: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """A frame's pixels (H, W, 3), upright RGB, uint8, or uint16 for more than 8 bits. Raises FootageError."""
        with self._lock:
            rgb = self._converted(self._frame(self._picture(index)), self._pixel_format)
        pixels: NDArray[np.uint8] | NDArray[np.uint16] = upright(rgb, self.orientation)
        return pixels

    def alpha(self, index: int) -> NDArray[np.uint8] | NDArray[np.uint16] | None:
        """A frame's alpha (H, W), upright, with the dtype of `pixels`; None if it has none. Raises FootageError."""
        with self._lock:
            frame = self._frame(self._picture(index))
            bits = next((component.bits for component in frame.format.components if component.is_alpha), None)
            if bits is None:
                return None
            pixel_format = self._pixel_format.replace("rgb48", "rgba64").replace("rgb24", "rgba")
            alpha = self._converted(frame, pixel_format)[..., 3]
        if 8 < bits < 16:  # ffmpeg shifts 10 and 12 bits to 16, so opaque would be less than 65535
            most = (1 << bits) - 1
            alpha = ((alpha >> (16 - bits)).astype(np.uint32) * 65535 // most).astype(np.uint16)
        found: NDArray[np.uint8] | NDArray[np.uint16] = upright(alpha, self.orientation)
        return found

    def _converted(self, frame: VideoFrame, pixel_format: str) -> Any:
        """A frame as RGB. High-definition video of unspecified colour space is taken as Rec. 709 (ITU-R BT.709)."""
        space = Colorspace.ITU709 if _is_untagged_hd(frame) else None
        with self._reading():
            return frame.to_ndarray(format=pixel_format, src_colorspace=space, threads=CONVERT_THREADS)

    def _open(self) -> None:
        """Open the file at its first frame."""
        with self._reading():
            # titles in old files may have any encoding, and they are not read here
            self._container = av.open(str(self.path), metadata_errors="replace")
            tracks = _moving(self._container)
            if not tracks:
                raise FootageError("The file has no video.", where=str(self.path), hint="Choose another movie.")
            self._stream = max(tracks, key=_importance)
            check_pixels(self._stream.width, self._stream.height, FootageError, str(self.path))
            self._stream.thread_type = "AUTO"
            self._decoder = _alpha_decoder(self._stream)
            self._frames = self._decode()
        self._next, self._at_key = 0, True

    def _decode(self) -> Iterator[VideoFrame]:
        """Decode from the container's current position."""
        if self._decoder is None:
            yield from self._container.decode(self._stream)
            return
        for packet in self._container.demux(self._stream):
            yield from self._decoder.decode(packet if packet.size else None)

    def _drop_lost(self) -> None:
        """Drop the first pictures if they need references from before the start: the file was cut from a longer one."""
        with self._reading():
            first = next((frame.pts for frame in self._frames if frame.pts is not None), self._times[0])
        lost = bisect.bisect_left(self._times, first)
        self._times = self._times[lost:]
        self._keys = [key - lost for key in self._keys if key >= lost]

    def _number(self) -> list[int]:
        """The index of the picture that each frame shows."""
        pictures = range(len(self._times))
        rate, clock = self._stream.guessed_rate, self._stream.time_base
        if self.has_constant_rate or not rate or not clock:
            return list(pictures)
        start = self._times[0] if self._stream.start_time is None else self._stream.start_time
        step = 1 / (rate * clock)
        count = round(self._seconds(start * clock) * rate)
        if not 1 <= count <= _MOST_SHOWN * len(pictures) + _ROUNDED:
            return list(pictures)  # the file's times are wrong
        found = (bisect.bisect_right(self._times, round(i * step) + start) - 1 for i in range(count))
        return [max(0, value) for value in found]

    def _seconds(self, start: Fraction) -> Fraction:
        """The duration in seconds as Blender computes it: that of the track, or of the file after its sound begins."""
        stream, container = self._stream, self._container
        if stream.duration and stream.time_base:
            return Fraction(stream.duration * stream.time_base)
        sound = next(iter(container.streams.audio), None)
        before = Fraction(0)
        if sound is not None and sound.start_time is not None and sound.time_base is not None:
            before = sound.start_time * sound.time_base
        return Fraction(container.duration or 0, av.time_base) - max(Fraction(0), start - before)

    def _picture(self, index: int) -> int:
        self.check_has(index + 1)
        return self._shown[index]

    def _scan(self) -> tuple[list[int], list[int]]:
        """The time of each picture, ascending, and the indices of keyframes.

        This reads packets without decoding them. A file whose packets have no times is decoded once.
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
            before = max(0, stream.start_time or 0) * (stream.time_base or Fraction(0))
            seconds = Fraction(container.duration, av.time_base) - before
        claimed = int(seconds * (stream.average_rate or 0)) if self.has_constant_rate else 0
        if container.format.name == "avi":  # ffmpeg sets the duration of one that is cut; MOV counts what edits hide
            claimed = max(claimed, stream.frames)
        return claimed - len(self) if claimed - len(self) > _ROUNDED else 0

    def _frame(self, index: int) -> VideoFrame:
        """The picture with this index. Raises FootageError if it has another size than the first one."""
        frame = self._decoded.get(index) or self._find(index)
        if self._stored_size not in (None, (frame.width, frame.height)):
            raise FootageError(
                f"The movie changes its size: picture {index + 1} has {frame.width} x {frame.height} pixels.",
                where=str(self.path),
                hint="Convert it to a movie or an image sequence of one size.",
            )
        return frame

    def _find(self, index: int) -> VideoFrame:
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
        if self._decoder is not None:
            self._decoder.flush_buffers()
        self._frames = self._decode()
        self._next, self._at_key = start, False

    def _forward(self) -> Iterator[tuple[int, VideoFrame]]:
        """The next pictures and their indices. After a seek, pictures before the keyframe are skipped."""
        for frame in self._frames:
            index = self._indices.get(frame.pts) if frame.pts is not None else None
            self._at_key = self._at_key or index in self._key_set
            if index is not None and self._at_key:
                self._next = index + 1
                yield index, frame

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """Turn PyAV's exceptions into a FootageError that names the file."""
        hint = "Copy or export it again, or convert it to an image sequence."
        with reading(FootageError, "The movie is damaged or can't be read", where=str(self.path), hint=hint):
            try:
                yield
            except FileNotFoundError:
                raise FootageError(
                    "The movie is missing.", where=str(self.path), hint="Put it back, or load the footage again."
                ) from None
