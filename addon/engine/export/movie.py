"""Movies with alpha, for video editors. A movie is as long as the footage, so that both can be stacked in the timeline.

Alpha is straight; frames without a matte are fully transparent. There is no sound. ProRes 4444 is the usual format for
editing; its 10-bit Y'CbCr (Rec. 709, the most that ffmpeg's encoder offers) changes RGB by rounding. FFV1 version 3
(RFC 9043) in Matroska keeps every value of RGB and alpha, 8 or 16 bits.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, BinaryIO

import av
import av.error
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from ...contract.errors import JobError
from ...contract.job import Job
from ...contract.layout import default_matte_folder
from ..footage.footage import Reader
from ..footage.images import to_integers
from ..footage.movie import CONVERT_THREADS
from .alpha import alpha_of, in_words, to_integer_alpha
from .writer import BaseWriter, MatteOf, Step, Write

_SAME_BYTES = {"fflags": "+bitexact"}  # no random ids in the file
_DEFAULT_RATE = Fraction(24)
_NTSC = Fraction(1000, 1001)
# ITU-T H.273, as ffmpeg numbers them
_REC_709, _SRGB_CURVE, _RGB, _LIMITED, _FULL = 1, 13, 0, 1, 2


@dataclass(frozen=True, slots=True)
class Codec:
    """The encoding of a kind of movie. pixels: pixel formats for 8-bit footage and for deeper footage."""

    label: str
    container: str
    name: str
    options: Mapping[str, str]
    pixels: tuple[str, str]
    is_rgb: bool


_CODECS = {
    "prores": Codec(
        "ProRes 4444 (10 bits, Rec. 709)",
        "mov",
        "prores_ks",
        {"profile": "4444", "alpha_bits": "16", "vendor": "apl0"},
        ("yuva444p10le", "yuva444p10le"),
        is_rgb=False,
    ),
    "ffv1": Codec(
        "FFV1",
        "matroska",
        "ffv1",
        {"level": "3", "slicecrc": "1"},
        ("bgra", "gbrap16le"),
        is_rgb=True,
    ),
}


class Writer(BaseWriter):
    """Writes one movie."""

    def __init__(self, job: Job, reader: Reader) -> None:
        super().__init__(job, reader)
        if job.delivery.scope != "all" or job.delivery.into:
            raise JobError(
                "A movie is written as a whole.",
                where="delivery.scope" if job.delivery.scope != "all" else "delivery.into",
                hint="Export all frames into a new version.",
            )
        self._codec = _CODECS[job.target]
        self._deep = reader.dtype != np.uint8
        self._rate = rate_of(job.delivery.frame_rate or reader.frame_rate or _DEFAULT_RATE)

    def frame_files(self, frame: int, matte: MatteOf) -> Mapping[str, Write]:
        """None, because all frames are in one file."""
        return {}

    def other_files(self, frames: Sequence[int], matte: MatteOf, step: Step) -> Mapping[str, Write]:
        """The movie."""

        def write(file: BinaryIO) -> None:
            with _errors(), av.open(file.name, "w", self._codec.container, container_options=_SAME_BYTES) as container:
                self._encode(container, frames, matte, step)

        clip = default_matte_folder(self.job.footage).name.removesuffix("_matte")
        return {self.rules.pattern.format(clip=clip): write}

    def _encode(self, container: Any, frames: Sequence[int], matte: MatteOf, step: Step) -> None:
        codec = self._codec
        stream = container.add_stream(codec.name, rate=self._rate, options=dict(codec.options))
        stream.width, stream.height = self.job.footage.width, self.job.footage.height
        stream.pix_fmt = codec.pixels[self._deep]
        stream.thread_type = "SLICE"  # frame threading would hold several frames in memory
        context = stream.codec_context
        context.color_primaries = _REC_709
        context.colorspace, context.color_trc, context.color_range = (
            (_RGB, _SRGB_CURVE, _FULL) if codec.is_rgb else (_REC_709, _REC_709, _LIMITED)
        )
        if self.reader.cicp:  # values are not converted, so their meaning is copied
            context.color_primaries, context.color_trc = self.reader.cicp
        try:
            context.open()
        except (av.error.FFmpegError, ValueError):
            size = f"{self.job.footage.width} x {self.job.footage.height} pixels"
            raise JobError(f"{codec.label} can't hold {size}.", where="target", hint="Export images.") from None
        for index, frame in enumerate(frames):
            rgba = self._rgba(frame, matte)
            picture = VideoFrame.from_ndarray(rgba, "rgba64le" if rgba.dtype == np.uint16 else "rgba")
            matrix = None if codec.is_rgb else "ITU709"
            picture = picture.reformat(format=stream.pix_fmt, dst_colorspace=matrix, threads=CONVERT_THREADS)
            picture.color_primaries, picture.color_trc = context.color_primaries, context.color_trc
            picture.pts, picture.time_base = index, 1 / self._rate
            container.mux(stream.encode(picture))
            step(frame)
        container.mux(stream.encode())

    def _rgba(self, frame: int, matte: MatteOf) -> NDArray[Any]:
        plate = self.reader.plate(frame, alpha=self.job.delivery.plate_alpha == "multiply")
        rgb = to_integers(plate.pixels, self.reader.to_srgb)
        alpha = to_integer_alpha(alpha_of(plate, frame, matte, self.job))
        rgba = np.empty((*rgb.shape[:2], 4), rgb.dtype)
        rgba[..., :3] = rgb
        rgba[..., 3] = alpha
        if alpha.dtype != rgb.dtype:
            rgba[..., 3] *= 257
        return rgba

    def describe(self) -> Mapping[str, Any]:
        """The format and the frame rate."""
        codec = self._codec
        kept = f", {16 if self._deep else 8} bits, RGB as in the footage" if codec.is_rgb else ""
        return {
            "files": f"{codec.label}{kept}, straight alpha{in_words(self.job)}",
            "frame_rate": str(self._rate),
        }


def rate_of(rate: float | Fraction) -> Fraction:
    """The frame rate as an exact fraction: 23.976 and the like become 24000/1001."""
    exact = Fraction(rate).limit_denominator(100_000)
    for whole in (Fraction(round(exact)), Fraction(round(exact / _NTSC)) * _NTSC):
        if abs(exact - whole) < Fraction(1, 500):
            return whole
    return exact.limit_denominator(1001)


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """Turn PyAV's exceptions into the OSError that they stand for."""
    try:
        yield
    except av.error.FFmpegError as error:
        raise OSError(error.errno, error.strerror) from error
