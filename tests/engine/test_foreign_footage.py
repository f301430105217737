"""Images and movies from outside that lie about themselves: a short message that names the file, nothing decoded."""

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from addon.contract.errors import FootageError, JobError, MatteError
from addon.contract.job import Job
from addon.contract.job_types import Footage, Mask, MatteObject, Prompt
from addon.engine.footage.footage import Reader, scan
from addon.engine.footage.images import read_header, read_model_input, read_plate
from addon.engine.sam2.prompting import mask_input


def jpeg_that_claims(path: Path, width: int, height: int) -> Path:
    Image.new("RGB", (64, 64)).save(path)
    data = bytearray(path.read_bytes())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    path.write_bytes(data)
    return path


def png_that_claims(path: Path, width: int, height: int) -> Path:
    import zlib

    Image.new("RGB", (64, 64)).save(path)
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("make", [jpeg_that_claims, png_that_claims])
@pytest.mark.parametrize("size", [(60000, 60000), (65000, 30000)])
def test_pixels_are_bounded_before_decoding(make: Any, size: tuple[int, int], tmp_path: Path) -> None:
    path = make(tmp_path / ("a.jpg" if make is jpeg_that_claims else "a.png"), *size)
    for read in (read_header, read_plate, lambda file: read_model_input(file, 512)):
        with pytest.raises(FootageError, match=f"{size[0]}|claims") as caught:  # OpenImageIO may find it first
            read(path)
        assert caught.value.where == str(path)
        assert caught.value.hint


def test_a_job_may_not_claim_more_pixels_than_can_be_read(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="pixels"):
        Job(Footage((str(tmp_path / "a.png"),), 60_000, 60_000, 1), (MatteObject("a", (Prompt(1, mask=Mask("/m")),)),))


def test_a_mask_goes_through_the_same_boundary(tmp_path: Path) -> None:
    footage = Footage((str(tmp_path / "a.png"),), 64, 64, 1)
    bomb = jpeg_that_claims(tmp_path / "bomb.jpg", 60000, 60000)
    with pytest.raises(MatteError, match=r"bomb\.jpg"):
        mask_input(Mask(str(bomb)), footage, 64)
    broken = tmp_path / "broken.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)).save(broken)
    data = bytearray(broken.read_bytes())
    data[60:70] = b"\0" * 10  # inside the compressed pixels
    broken.write_bytes(data)
    with pytest.raises(JobError, match=r"broken\.png"):
        mask_input(Mask(str(broken)), footage, 64)


def test_a_mask_never_starts_a_program(tmp_path: Path) -> None:
    """Pillow would hand PostScript to Ghostscript."""
    path = tmp_path / "mask.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n%%EOF\n")
    with pytest.raises(JobError, match="identify"):
        mask_input(Mask(str(path)), Footage((str(path),), 64, 64, 1), 64)


def movie(path: Path, codec: str, options: dict[str, str] | None = None, title: str = "") -> Path:
    with av.open(str(path), "w", options=options or {}) as container:
        if title:
            container.metadata["title"] = title
        stream: Any = container.add_stream(codec, rate=Fraction(25))
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        noise = np.random.default_rng(0)
        for _ in range(40):
            frame = av.VideoFrame.from_ndarray(noise.integers(0, 255, (64, 64, 3), np.uint8), "rgb24")
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", {"movflags": "faststart"}),
        ("a.avi", "mpeg4", {}),
        ("a.mkv", "libx264", {}),
    ],
)
def test_a_movie_cut_in_half_is_told(name: str, codec: str, options: dict[str, str], tmp_path: Path) -> None:
    path = movie(tmp_path / name, codec, options)
    whole, warnings = scan(path)
    assert whole.frame_count == 40
    assert not warnings
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found, warnings = scan(path)
    assert 0 < found.frame_count < 40
    assert "cut short" in warnings[0]
    assert "40 frames" in warnings[0]
    with pytest.raises(FootageError, match="cut short"):  # as Blender would ask, who believes the container
        Reader(whole).check()
    Reader(whole).check(found.frame_count)


def test_frames_beyond_a_movie_are_told_before_anything_is_done(tmp_path: Path) -> None:
    path = movie(tmp_path / "a.mp4", "libx264")
    with pytest.raises(FootageError, match="has 40 frames; number 1000000"):
        Reader(Footage((str(path),), 64, 64, 1_000_000, movie=True)).check()
    with pytest.raises(FootageError, match="has 40 frames; 1000000 were counted"):  # a range alone makes it no better
        Reader(Footage((str(path),), 64, 64, 1_000_000, movie=True)).check(3)
    Reader(Footage((str(path),), 64, 64, 41, movie=True)).check(3)  # players count differently


def test_a_title_in_another_encoding_is_no_error(tmp_path: Path) -> None:
    path = movie(tmp_path / "a.avi", "mpeg4", title="Fruehling")
    path.write_bytes(path.read_bytes().replace(b"Fruehling", "Fr\xfchling\xe9".encode("latin-1")))
    assert scan(path)[0].frame_count == 40
