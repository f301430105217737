"""Movies with alpha: what an editor gets, whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import struct
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import OpenImageIO
import pytest
from numpy.typing import NDArray
from PIL import Image

from addon.contract.errors import Cancelled, JobError
from addon.contract.job import Job
from addon.contract.job_types import Delivery, MatteObject, Point, Prompt
from addon.engine.export import export, prepare
from addon.engine.export.movie import rate_of
from addon.engine.footage.footage import Reader, scan
from tests.engine.export_process import matte

WIDTH, HEIGHT, FRAMES = 67, 45, 5


def pixels(i: int, dtype: Any = np.uint8) -> NDArray[Any]:
    generator = np.random.default_rng(i)
    return generator.integers(0, np.iinfo(dtype).max, (HEIGHT, WIDTH, 3), dtype, endpoint=True)


@pytest.fixture
def plates(tmp_path: Path) -> Path:
    folder = tmp_path / "plates"
    folder.mkdir()
    for i in range(1, FRAMES + 1):
        Image.fromarray(pixels(i)).save(folder / f"shöt.{i:04d}.png")
    return folder


def job_of(plates: Path, target: str, **delivery: Any) -> Job:
    marked = (MatteObject("a", (Prompt(1, (Point(1, 1),)),)),)
    output = str(plates.with_name("out"))
    return Job(scan(plates)[0], marked, output=output, target=target, delivery=Delivery(**delivery))


def write(
    job: Job,
    tracked: list[int] | None = None,
    on_frame: Callable[[int, int, int], None] = lambda *_: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Path:
    tracked = list(job.frames) if tracked is None else tracked
    size = job.footage.width, job.footage.height
    return export(
        prepare(job, Reader(job.footage)),
        lambda frame, name: matte(frame, *size) if frame in tracked else np.zeros(size[::-1], np.uint8),
        frames=tracked,
        key="key",
        report={},
        on_frame=on_frame,
        cancelled=cancelled,
    )


def read(file: Path, pixel_format: str) -> list[NDArray[Any]]:
    with av.open(str(file)) as container:
        return [frame.to_ndarray(format=pixel_format, threads=1) for frame in container.decode(video=0)]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_ffv1_keeps_every_value(plates: Path, dtype: Any) -> None:
    if dtype == np.uint16:
        for i, file in enumerate(sorted(plates.iterdir()), 1):
            spec = OpenImageIO.ImageSpec(WIDTH, HEIGHT, 3, "uint16")
            output = OpenImageIO.ImageOutput.create(str(file))
            assert output is not None
            output.open(str(file), spec)
            output.write_image(pixels(i, np.uint16))
            output.close()
    version = write(job_of(plates, "ffv1"))
    (file,) = version.iterdir()
    assert file.name == "shöt.mkv"
    found = read(file, "rgba" if dtype == np.uint8 else "rgba64le")
    assert len(found) == FRAMES
    for i, frame in enumerate(found, 1):
        np.testing.assert_array_equal(frame[..., :3], pixels(i, dtype))
        np.testing.assert_array_equal(frame[..., 3], np.where(matte(i, WIDTH, HEIGHT), np.iinfo(dtype).max, 0))
    report = json.loads(version.with_suffix(".json").read_text(encoding="utf-8"))["report"]["export"]
    assert f"{8 * np.dtype(dtype).itemsize} bits, RGB as in the footage" in report["files"]
    assert report["frame_rate"] == "24"


def test_prores(plates: Path) -> None:
    """Colours as good as its compression, alpha exact where it is 0 or full."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    smooth = np.dstack([3 * x, 5 * y, 100 + x - y]).astype(np.uint8)
    for plate in plates.iterdir():
        Image.fromarray(smooth).save(plate)
    (file,) = write(job_of(plates, "prores", frame_rate=23.976)).iterdir()
    with av.open(str(file)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.profile) == ("prores", "4444")
        assert stream.average_rate == Fraction(24000, 1001)
        assert stream.codec_context.colorspace == 1
        assert stream.duration is not None
        assert stream.time_base is not None
        assert float(stream.duration * stream.time_base) == pytest.approx(FRAMES * 1001 / 24000)
    found = read(file, "rgba64le")
    assert len(found) == FRAMES
    for i, frame in enumerate(found, 1):
        alpha = frame[..., 3] >> 4  # the decoder's 12 bits
        np.testing.assert_array_equal(alpha, np.where(matte(i, WIDTH, HEIGHT), 4095, 0))
        assert np.abs(frame[..., :3] / 257.0 - smooth).max() < 5


def test_it_is_as_long_as_the_footage(plates: Path) -> None:
    """Frames without a matte are included, transparent; for a range, those of the range."""
    (file,) = write(job_of(plates, "ffv1"), tracked=[2, 4]).iterdir()
    assert [bool(frame[..., 3].any()) for frame in read(file, "rgba")] == [False, True, False, True, False]
    (file,) = write(job_of(plates, "ffv1", frame_range=(2, 3)), tracked=[2, 4]).iterdir()
    found = read(file, "rgba")
    np.testing.assert_array_equal(found[1][..., :3], pixels(3))
    assert len(found) == 2


def test_the_rate_of_a_movie(tmp_path: Path) -> None:
    source = tmp_path / "Clip.mp4"
    with av.open(str(source), "w") as container:
        stream: Any = container.add_stream("libx264", rate=Fraction(30000, 1001))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")))
        container.mux(stream.encode())
    (file,) = write(job_of(source, "prores")).iterdir()
    assert file.name == "Clip.mov"
    with av.open(str(file)) as opened:
        assert opened.streams.video[0].average_rate == Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("rate", "exact"),
    [
        (24.0, Fraction(24)),
        (23.976, Fraction(24000, 1001)),
        (24 / 1.001, Fraction(24000, 1001)),
        (29.97, Fraction(30000, 1001)),
        (12.5, Fraction(25, 2)),
        (Fraction(60000, 1001), Fraction(60000, 1001)),
    ],
)
def test_rates(rate: float, exact: Fraction) -> None:
    assert rate_of(rate) == exact


@pytest.mark.parametrize("target", ["ffv1", "prores"])
def test_the_same_bytes_every_time(plates: Path, target: str) -> None:
    first, second = (next(write(job_of(plates, target)).iterdir()).read_bytes() for _ in range(2))
    assert first == second


def test_stopped_there_is_nothing(plates: Path) -> None:
    seen: list[int] = []
    job = job_of(plates, "prores")
    with pytest.raises(Cancelled, match="whole or not at all"):
        write(job, on_frame=lambda done, _total, _frame: seen.append(done), cancelled=lambda: len(seen) >= 2)
    assert not list(plates.with_name("out").glob("v*"))
    assert not list(plates.with_name("out").rglob("*.mov*"))
    seen.clear()
    version = write(job, on_frame=lambda done, _total, _frame: seen.append(done))
    assert seen == [1, 2, 3, 4, 5]
    assert [path.name for path in version.iterdir()] == ["shöt.mov"]


@pytest.mark.parametrize("delivery", [{"scope": "missing"}, {"into": "latest"}])
def test_it_is_not_patched(plates: Path, delivery: dict[str, str]) -> None:
    with pytest.raises(JobError, match="written as a whole"):
        write(job_of(plates, "ffv1", **delivery))


def test_images_that_no_movie_holds(tmp_path: Path) -> None:
    """The error comes before any image is decoded."""
    folder = tmp_path / "plates"
    folder.mkdir()
    header = struct.pack(">IIBBBBB", 32_000, 32_000, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"")))
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    (folder / "a.1.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    with pytest.raises(JobError, match="can't hold 32000 x 32000 pixels"):
        write(job_of(folder, "prores"))
    assert not list(tmp_path.rglob("*.mov*"))


def test_inverted(plates: Path) -> None:
    (file,) = write(dataclasses.replace(job_of(plates, "ffv1"), invert=True)).iterdir()
    np.testing.assert_array_equal(read(file, "rgba")[0][..., 3], 255 - matte(1, WIDTH, HEIGHT))
