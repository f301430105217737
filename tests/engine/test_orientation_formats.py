"""Orientation against Pillow's, in every format that can carry it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from addon.contract.exif import oriented_size, read_orientation, to_oriented

WIDTH, HEIGHT = 24, 16


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_like_pillow(tmp_path: Path, suffix: str, orientation: int) -> None:
    file = tmp_path / f"plate{suffix}"
    image = Image.fromarray(np.random.default_rng(orientation).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))
    image.save(tmp_path / f"stored{suffix}")
    exif = Image.Exif()
    exif[0x010E] = "a description, so that the directory has more than one entry"
    exif[0x0112] = orientation
    image.save(file, exif=exif)

    assert read_orientation(file) == orientation
    with Image.open(file) as oriented_image, Image.open(tmp_path / f"stored{suffix}") as stored_image:
        upright = np.asarray(ImageOps.exif_transpose(oriented_image))
        stored = np.asarray(stored_image)
    assert upright.shape[1::-1] == oriented_size(WIDTH, HEIGHT, orientation)
    for y in range(HEIGHT):
        for x in range(WIDTH):
            there = to_oriented(x + 0.5, y + 0.5, WIDTH, HEIGHT, orientation)
            assert (upright[int(there[1]), int(there[0])] == stored[y, x]).all()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".bmp"])
def test_absent(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"plate{suffix}"
    Image.new("RGB", (WIDTH, HEIGHT)).save(file)
    assert read_orientation(file) == 1


def test_png_appended_after_the_pixels(tmp_path: Path) -> None:
    """Some programs append eXIf after the image data."""
    file = tmp_path / "plate.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (WIDTH, HEIGHT)).save(file, exif=exif)
    data = file.read_bytes()
    start = data.index(b"eXIf") - 4
    stop = start + 12 + int.from_bytes(data[start : start + 4], "big")
    end = data.index(b"IEND") - 4
    file.write_bytes(data[:start] + data[stop:end] + data[start:stop] + data[end:])
    with Image.open(file) as image:
        image.load()
    assert read_orientation(file) == 6
