"""Movies: the same frames in whatever order, in bounded memory."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from addon.contract.errors import FootageError
from addon.contract.job_types import Footage
from addon.engine.footage import movie
from addon.engine.footage.footage import Reader, read_ahead, scan
from addon.engine.footage.images import squash
from addon.engine.footage.movie import Movie

WIDTH, HEIGHT, FRAMES = 64, 48, 40

# container, codec, options, pixel format: with and without B-frames, open GOPs, without times in its packets, all-intra
KINDS = [
    ("mp4", "libx264", {"g": "12", "bf": "3"}, "yuv420p"),
    ("ts", "libx264", {"g": "10", "bf": "3", "x264-params": "open-gop=1:scenecut=0"}, "yuv420p"),
    ("mkv", "libx265", {"x265-params": "keyint=12:bframes=3:open-gop=1:log-level=none"}, "yuv420p"),
    ("mp4", "mpeg4", {"g": "12", "bf": "2"}, "yuv420p"),
    ("mpg", "mpeg2video", {"g": "12", "bf": "2"}, "yuv420p"),
    ("avi", "mjpeg", {}, "yuvj420p"),
    ("webm", "libvpx-vp9", {"g": "12"}, "yuv420p"),
    ("mov", "prores_ks", {}, "yuv422p10le"),
]


def picture(i: int) -> NDArray[np.uint8]:
    """Every frame differs, and moves, so that a wrong or half-decoded frame shows."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([x * 3 + i * 5, y * 4 + i * 3, (x + y + 7 * i) * 2], -1).astype(np.uint8)


def make(
    path: Path,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    pixel_format: str = "yuv420p",
    count: int = FRAMES,
    rotation: float | None = None,
    times: list[int] | None = None,
) -> Path:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25, options=options or {"g": "12"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixel_format
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for i in range(count):
            frame = av.VideoFrame.from_ndarray(picture(i), "rgb24").reformat(format=pixel_format, threads=1)
            if times:
                frame.pts, frame.time_base = times[i], Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(("container", "codec", "options", "pixel_format"), KINDS)
@pytest.mark.parametrize("cache_bytes", [1, 20_000, 1 << 28])
def test_any_order_gives_the_same_frames(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    container: str,
    codec: str,
    options: dict[str, str],
    pixel_format: str,
    cache_bytes: int,
) -> None:
    file = make(tmp_path / f"clip é.{container}", codec, options, pixel_format)
    with av.open(str(file)) as plain:
        kind = "rgb48le" if "10" in pixel_format else "rgb24"
        expected = [frame.to_ndarray(format=kind, threads=1) for frame in plain.decode(video=0)]
    assert len(expected) == FRAMES
    monkeypatch.setattr(movie, "_CACHE_BYTES", cache_bytes)
    opened = Movie(file)
    assert len(opened) == FRAMES
    assert opened.dtype == expected[0].dtype
    jumps = random.Random(0).choices(range(FRAMES), k=60)
    for index in [*range(FRAMES), *reversed(range(FRAMES)), *jumps]:
        np.testing.assert_array_equal(opened.pixels(index), expected[index], err_msg=f"frame {index}")
        assert len(opened._decoded) <= opened._cache_size


def test_backwards_decodes_a_stretch_once(tmp_path: Path) -> None:
    """Within the cache, reading backwards decodes nothing twice."""
    opened = Movie(make(tmp_path / "clip.mp4", options={"g": "250", "bf": "0"}))
    opened.pixels(FRAMES - 1)
    where = opened._next
    for index in reversed(range(FRAMES)):
        opened.pixels(index)
    assert opened._next == where


@pytest.mark.parametrize(("degrees", "quarter_turns"), [(90, 1), (-90, 3), (180, 2)])
def test_turned_phone(tmp_path: Path, degrees: float, quarter_turns: int) -> None:
    """Uses a codec that gives the same bytes each time, which x264 does not always do."""
    flat = Movie(make(tmp_path / "flat.mp4", "mpeg4"))
    turned = Movie(make(tmp_path / "turned.mp4", "mpeg4", rotation=degrees))
    np.testing.assert_array_equal(turned.pixels(3), np.rot90(flat.pixels(3), quarter_turns))
    assert (turned.height, turned.width) == turned.pixels(0).shape[:2]


def test_as_footage(tmp_path: Path) -> None:
    file = make(tmp_path / "Aufnahme 1.mp4")
    footage, warnings = scan(file)
    assert footage == Footage((str(file),), WIDTH, HEIGHT, FRAMES, movie=True)
    assert warnings == []
    assert scan(tmp_path)[0] == footage
    reader = Reader(footage)
    reader.check()
    assert reader.stem(7) == "Aufnahme 1_000007"
    plate = reader.plate(7)
    np.testing.assert_array_equal(plate.pixels, Movie(file).pixels(6))
    assert plate.icc is None
    assert plate.exif is None
    np.testing.assert_array_equal(reader.model_input(7, 32), squash(np.asarray(plate.pixels, np.uint8), 32))
    ahead = dict(read_ahead(reader, range(FRAMES, 0, -1), 32, 4))
    for frame, pixels in ahead.items():
        np.testing.assert_array_equal(pixels, reader.model_input(frame, 32))
    shifted = Reader(Footage((str(file),), WIDTH, HEIGHT, FRAMES - 5, movie=True, movie_offset=5))
    np.testing.assert_array_equal(shifted.plate(2).pixels, reader.plate(7).pixels)
    assert shifted.fingerprint() != reader.fingerprint()


def test_beyond_the_end(tmp_path: Path) -> None:
    with pytest.raises(FootageError, match=r"clip\.mp4: The movie has 40 frames; number 41 was asked for"):
        Movie(make(tmp_path / "clip.mp4")).pixels(FRAMES)


def test_damaged(tmp_path: Path) -> None:
    file = make(tmp_path / "clip.mp4")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(FootageError, match=r"clip\.mp4"):
        scan(file)
    file.write_text("no movie")
    with pytest.raises(FootageError, match=r"clip\.mp4"):
        scan(file)
    file.unlink()
    with pytest.raises(FootageError, match=r"clip\.mp4: The movie is missing"):
        Movie(file)


def test_cut_short(tmp_path: Path) -> None:
    """A Matroska file can be played up to where it ends."""
    file = make(tmp_path / "clip.mkv")
    whole = Movie(file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 3 // 4])
    opened = Movie(file)
    assert 0 < len(opened) < FRAMES
    for index in range(len(opened) - 1):  # the last may be the half one
        np.testing.assert_array_equal(opened.pixels(index), whole.pixels(index))


def test_sound_only(tmp_path: Path) -> None:
    file = tmp_path / "sound.mp4"
    with av.open(str(file), "w") as container:
        stream: Any = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(FootageError, match="no video"):
        Movie(file)
