"""Exports read by programs that photographers and pipelines use: pngcheck and exiftool.

Debian: pngcheck, libimage-exiftool-perl. Where one is absent its test is skipped, and says so.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from addon.contract.job import Job
from addon.contract.job_types import MatteObject, Point, Prompt
from addon.engine.export import export, prepare
from addon.engine.footage.footage import Reader, scan
from tests.engine.export_process import matte

WIDTH, HEIGHT = 60, 40


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"NOT CHECKED: {name} is not on PATH (Debian: apt install pngcheck libimage-exiftool-perl)")
    return found


def exported(room: Path, suffix: str, dtype: Any, target: str, orientation: int = 1) -> tuple[Path, Path]:
    """A photo with camera data and profile, and what is exported of it."""
    folder = room / "photos"
    folder.mkdir()
    pixels = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, (HEIGHT, WIDTH, 3), dtype, endpoint=True)
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Kamera"
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.IFD.Exif] = {
        ExifTags.Base.FocalLength: 35.0,
        ExifTags.Base.FocalLengthIn35mmFilm: 52,
        ExifTags.Base.DateTimeOriginal: "2026:01:02 03:04:05",
    }
    source = folder / f"IMG_0001{suffix}"
    if dtype == np.uint16:
        import cv2

        cv2.imwrite(str(source), pixels)
    else:
        icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        Image.fromarray(pixels).save(source, exif=exif.tobytes(), icc_profile=icc)
    footage = scan(folder)[0]
    objects = (MatteObject("subject", (Prompt(1, (Point(1, 1),)),)),)
    job = Job(footage, objects, output=str(room / "out"), target=target)
    version = export(
        prepare(job, Reader(footage)),
        lambda frame, name: matte(frame, footage.width, footage.height),
        frames=[1],
        key="key",
        report={},
        on_frame=lambda *_: None,
        cancelled=lambda: False,
    )
    (result,) = version.glob("*.*")
    return source, result


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("target", ["postshot", "masks"])
def test_pngcheck_finds_nothing_wrong(tmp_path: Path, dtype: Any, target: str) -> None:
    _, result = exported(tmp_path, ".png", dtype, target)
    done = subprocess.run([program("pngcheck"), "-v", str(result)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "No errors detected" in done.stdout and "warning" not in done.stdout.lower()
    depth = 16 if dtype == np.uint16 and target == "postshot" else 8
    kind = f"{4 * depth}-bit RGB+alpha" if target == "postshot" else "8-bit grayscale"
    assert f"{WIDTH} x {HEIGHT} image, {kind}, non-interlaced" in done.stdout


@pytest.mark.parametrize("orientation", [1, 6, 8])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_exiftool_reads_camera_data_as_in_the_source(tmp_path: Path, suffix: str, orientation: int) -> None:
    source, result = exported(tmp_path, suffix, np.uint8, "postshot", orientation)
    wanted = ["-ExifIFD:all", "-IFD0:all", "-ICC_Profile:all", "-Warning", "-Error", "-ImageSize"]
    command = [program("exiftool"), "-json", "-n", "-a", *wanted, str(source), str(result)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    before, after = json.loads(done.stdout)
    assert "Warning" not in after and "Error" not in after
    assert before["Orientation"] == orientation and after["Orientation"] == 1, "normalised"
    upright = (HEIGHT, WIDTH) if orientation >= 5 else (WIDTH, HEIGHT)
    assert after["ImageSize"] == f"{upright[0]} {upright[1]}"
    for name in ("FocalLength", "FocalLengthIn35mmFormat", "DateTimeOriginal", "Make", "ProfileDescription"):
        assert after[name] == before[name], name
    assert after["FocalLength"] == 35
