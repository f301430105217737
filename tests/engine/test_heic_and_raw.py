"""HEIC of phones and RAW of cameras, from files that are written here."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import ExifTags, Image

from addon.contract.errors import FootageError
from addon.contract.job import Job
from addon.contract.job_types import MatteObject, Point, Prompt
from addon.engine.export import prepare
from addon.engine.footage.footage import Reader, scan

WIDTH, HEIGHT = 60, 40
MARKED = (MatteObject("a", (Prompt(1, (Point(1, 1),)),)),)
# sRGB's own primaries as a camera's: XYZ to linear Rec. 709, D65 (IEC 61966-2-1)
_FROM_XYZ = (3.2406, -1.5372, -0.4986, -0.9689, 1.8758, 0.0415, 0.0557, -0.2040, 1.0570)


def smooth(seed: int = 0) -> Any:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.dstack([x * 4, y * 6, (x + y) * 2 + seed]).astype(np.uint8)


def write_heic(path: Path, pixels: Any, orientation: int = 1) -> Path:
    """As a phone does: pixels as the sensor lies, turned by the container, EXIF beside them. 16 bits are cut to 10."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Phone"
    exif[ExifTags.Base.Orientation] = orientation
    mode = "RGB;16" if pixels.dtype == np.uint16 else "RGB" if pixels.shape[2] == 3 else "RGBA"
    heif = pillow_heif.from_bytes(mode=mode, size=pixels.shape[1::-1], data=pixels.tobytes())
    heif.save(path, quality=-1, chroma=444, exif=exif.tobytes())
    return path


def write_dng(path: Path, linear: tuple[float, float, float], orientation: int = 1, width: int = WIDTH) -> Path:
    """A picture of one colour behind a Bayer filter RGGB, 16 bits, not compressed (Adobe, DNG specification 1.4)."""
    height = width * 2 // 3
    cells = np.empty((height, width), np.uint16)
    for (row, column), colour in zip(((0, 0), (0, 1), (1, 0), (1, 1)), (0, 1, 1, 2), strict=True):
        cells[row::2, column::2] = round(linear[colour] * 65535)
    cells[:2, :2] = 65535  # something bright, by which nothing may be scaled
    rationals = b"".join(struct.pack("<ii", round(value * 10_000), 10_000) for value in _FROM_XYZ)
    tags: list[tuple[int, int, int, bytes]] = [
        (254, 4, 1, struct.pack("<I", 0)),
        (256, 4, 1, struct.pack("<I", width)),
        (257, 4, 1, struct.pack("<I", height)),
        (258, 3, 1, struct.pack("<H", 16)),
        (259, 3, 1, struct.pack("<H", 1)),
        (262, 3, 1, struct.pack("<H", 32803)),
        (271, 2, 7, b"Camera\0"),
        (272, 2, 7, b"Camera\0"),
        (273, 4, 1, b"????"),
        (274, 3, 1, struct.pack("<H", orientation)),
        (277, 3, 1, struct.pack("<H", 1)),
        (278, 4, 1, struct.pack("<I", height)),
        (279, 4, 1, struct.pack("<I", cells.nbytes)),
        (33421, 3, 2, struct.pack("<HH", 2, 2)),
        (33422, 1, 4, bytes((0, 1, 1, 2))),
        (50706, 1, 4, bytes((1, 4, 0, 0))),
        (50708, 2, 7, b"Camera\0"),
        (50714, 3, 1, struct.pack("<H", 0)),
        (50717, 4, 1, struct.pack("<I", 65535)),
        (50721, 10, 9, rationals),
        (50728, 5, 3, struct.pack("<IIIIII", 1, 1, 1, 1, 1, 1)),
        (50778, 3, 1, struct.pack("<H", 21)),
    ]
    after = 8 + 2 + 12 * len(tags) + 4
    extra = b""
    entries = b""
    pixels_at = after + sum(len(value) + len(value) % 2 for _, _, _, value in tags if len(value) > 4)
    for tag, kind, count, value in tags:
        if tag == 273:
            value = struct.pack("<I", pixels_at)
        if len(value) > 4:
            entries += struct.pack("<HHII", tag, kind, count, after + len(extra))
            extra += value + b"\0" * (len(value) % 2)
        else:
            entries += struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + directory + extra + cells.astype("<u2").tobytes())
    return path


def srgb(linear: float) -> float:
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055


def exported(path: Path, folder: Path, target: str = "postshot") -> tuple[Image.Image, str]:
    """The first frame's file, all of it subject, and what the report says of it."""
    footage, _ = scan(path)
    reader = Reader(footage)
    reader.check()
    subject = np.full((footage.height, footage.width), 255, np.uint8)
    writer = prepare(Job(footage, MARKED, output=str(folder / "out"), target=target), reader)
    ((_, write),) = writer.frame_files(1, lambda frame, name: subject).items()
    with (folder / "written").open("wb") as file:
        write(file)
    image = Image.open(folder / "written")
    image.load()
    return image, writer.describe()["files"]


class TestHeic:
    @pytest.mark.parametrize("orientation", [1, 3, 6, 8])
    def test_pixels_stand_upright_once(self, tmp_path: Path, orientation: int) -> None:
        file = write_heic(tmp_path / "IMG_0001.HEIC", smooth(), orientation)
        expected = np.rot90(smooth(), {1: 0, 3: 2, 6: 3, 8: 1}[orientation])
        footage, _ = scan(file)
        assert (footage.height, footage.width) == expected.shape[:2]
        plate = Reader(footage).plate(1)
        assert np.abs(plate.pixels.astype(int) - expected).max() <= 2
        image, _ = exported(file, tmp_path)
        np.testing.assert_array_equal(np.asarray(image)[..., :3], plate.pixels)
        assert image.getexif()[ExifTags.Base.Make] == "Phone"
        assert image.getexif().get(ExifTags.Base.Orientation, 1) == 1
        model = Reader(footage).model_input(1, 32)
        assert model.shape == (32, 32, 3)
        assert abs(float(model.mean()) - float(expected.mean())) < 3

    def test_ten_bits_stay(self, tmp_path: Path) -> None:
        deep = smooth().astype(np.uint16) * 257
        footage, _ = scan(write_heic(tmp_path / "IMG_0001.HIF", deep))
        reader = Reader(footage)
        pixels = reader.plate(1).pixels
        assert reader.dtype == pixels.dtype == np.uint16
        assert np.abs(pixels.astype(int) - deep).max() <= 3 * 64, "three steps of 10 bits"
        assert len(np.unique(pixels)) > 256

    def test_alpha(self, tmp_path: Path) -> None:
        pixels = np.dstack([smooth(), np.full((HEIGHT, WIDTH), 255, np.uint8)])
        pixels[:, :20, 3] = 0
        footage, _ = scan(write_heic(tmp_path / "a.heif", pixels))
        alpha = Reader(footage).plate(1, alpha=True).alpha
        assert alpha is not None
        np.testing.assert_allclose(alpha.astype(int), pixels[..., 3], atol=2)

    def test_phones_mix_heic_and_jpeg(self, tmp_path: Path) -> None:
        names = ["IMG_0001.HEIC", "IMG_0002.jpg", "IMG_0003.HEIC"]
        for name in names:
            if name.endswith("jpg"):
                Image.fromarray(smooth()).save(tmp_path / name)
            else:
                write_heic(tmp_path / name, smooth())
        (tmp_path / "IMG_0001.MOV").write_bytes(b"x")
        footage, warnings = scan(tmp_path)
        assert [Path(file).name for file in footage.files] == names
        assert warnings == ["IMG_0001.MOV was passed over."]

    def test_live_photo_asks(self, tmp_path: Path) -> None:
        file = write_heic(tmp_path / "IMG_0001.HEIC", smooth())
        (tmp_path / "IMG_0001.MOV").write_bytes(b"x")
        with pytest.raises(FootageError, match=r"IMG_0001.HEIC and IMG_0001.MOV are a photo and its moving part"):
            scan(tmp_path)
        assert scan(file)[0].frame_count == 1

    @pytest.mark.parametrize("size", [40, 200, 700])
    def test_cut_short(self, tmp_path: Path, size: int) -> None:
        file = write_heic(tmp_path / "IMG_0001.HEIC", np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8))
        footage, _ = scan(file)
        file.write_bytes(file.read_bytes()[:size])
        with pytest.raises(FootageError, match=r"damaged|not an image"):
            Reader(footage).plate(1)


class TestRaw:
    @pytest.mark.parametrize("orientation", [1, 3, 6, 8])
    def test_developed_upright_and_without_a_change_of_brightness(self, tmp_path: Path, orientation: int) -> None:
        """A grey of 18 % and a dark blue come out as such, however bright the rest is."""
        for name, linear in (("DSC_0001.DNG", (0.18, 0.18, 0.18)), ("DSC_0002.DNG", (0.02, 0.05, 0.3))):
            file = write_dng(tmp_path / name, linear, orientation)
            footage, _ = scan(file)
            turned = orientation in (6, 8)
            assert (footage.width, footage.height) == ((HEIGHT, WIDTH) if turned else (WIDTH, HEIGHT))
            frame = [Path(file).name for file in footage.files].index(name) + 1
            reader = Reader(footage)
            reader.check()
            pixels = reader.plate(frame).pixels
            assert pixels.dtype == reader.dtype == np.uint16
            assert pixels.shape[:2] == (footage.height, footage.width)
            middle = pixels[pixels.shape[0] // 2, pixels.shape[1] // 2]
            np.testing.assert_allclose(middle / 65535, [srgb(value) for value in linear], atol=0.01)
            model = reader.model_input(frame, 16)
            np.testing.assert_allclose(np.median(model, (0, 1)) / 255, [srgb(value) for value in linear], atol=0.02)
            mask = np.zeros((footage.height, footage.width), np.uint8)
            assert reader.as_stored(mask, frame).shape == mask.shape, "programs develop it upright, too"

    def test_export_says_that_it_was_developed(self, tmp_path: Path) -> None:
        image, said = exported(write_dng(tmp_path / "DSC_0001.DNG", (0.18,) * 3, 6), tmp_path)
        assert image.size == (HEIGHT, WIDTH)
        assert "developed from RAW" in said
        assert image.getexif()[ExifTags.Base.Make] == "Camera"
        assert image.getexif().get(ExifTags.Base.Orientation, 1) == 1

    def test_half_the_size_does_for_the_model(self, tmp_path: Path) -> None:
        footage, _ = scan(write_dng(tmp_path / "DSC_0001.DNG", (0.18,) * 3, width=600))
        assert abs(int(np.median(Reader(footage).model_input(1, 64))) - round(255 * srgb(0.18))) <= 2

    def test_raw_beside_jpeg_is_passed_over(self, tmp_path: Path) -> None:
        for i in (1, 2):
            write_dng(tmp_path / f"DSC_000{i}.DNG", (0.18,) * 3)
            Image.fromarray(smooth()).save(tmp_path / f"DSC_000{i}.JPG")
        footage, warnings = scan(tmp_path)
        assert [Path(file).name for file in footage.files] == ["DSC_0001.JPG", "DSC_0002.JPG"]
        assert warnings == ["DSC_0001.DNG was passed over.", "DSC_0002.DNG was passed over."]

    def test_no_raw_in_it(self, tmp_path: Path) -> None:
        (tmp_path / "DSC_0001.NEF").write_bytes(b"no photo" * 100)
        with pytest.raises(FootageError, match="damaged"):
            scan(tmp_path)
