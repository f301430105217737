"""Footage as cameras, phones, drones and other programs write it: each test one kind, with the right values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from addon.contract.errors import FootageError
from addon.contract.job import Job
from addon.contract.job_types import MatteObject, Point, Prompt
from addon.engine.export import prepare
from addon.engine.footage.footage import Reader, scan

WIDTH, HEIGHT = 60, 40


def noise(seed: int = 0, width: int = WIDTH, height: int = HEIGHT) -> Any:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)


def photos(folder: Path, names: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        Image.fromarray(noise(i)).save(folder / name)
    return folder


def names_of(path: Path) -> list[str]:
    return [Path(file).name for file in scan(path)[0].files]


class TestNames:
    """Photos are all taken, in the order in which they were made."""

    @pytest.mark.parametrize(
        "names",
        [
            # drones: two photos in a second; visible light of a Mavic 3
            [f"DJI_2026010112000{second}_000{i}_V.JPG" for i, second in enumerate((0, 0, 3, 4, 9), 1)],
            [f"DJI_2026010112000{second}_000{i}_D.JPG" for i, second in enumerate((0, 0, 3, 4, 9), 1)],
            ["PXL_20260101_120000000.MP.jpg", "PXL_20260101_120004000.jpg", "PXL_20260101_120005000.MP.jpg"],
            ["20260101_120000(0).jpg", "20260101_120000.jpg", "20260101_120001.jpg", "20260102_080000(0).jpg"],
            ["IMG-20260101-WA0001.jpg", "IMG-20260101-WA0002.jpg", "IMG-20260102-WA0001.jpg"],
            ["IMG_0001.jpg", "IMG_0002 (1).jpg", "IMG_0003.jpg", "IMG_0009~2.jpg"],
            ["WhatsApp Image 2026-01-01 at 12.00.00 (1).jpeg", "WhatsApp Image 2026-01-01 at 12.00.07.jpeg"],
            ["signal-2026-01-01-120000.jpg", "signal-2026-01-01-120000_002.jpg", "signal-2026-01-02-080000.jpg"],
        ],
    )
    def test_all_photos(self, tmp_path: Path, names: list[str]) -> None:
        photos(tmp_path, names)
        footage, warnings = scan(tmp_path)
        assert [Path(file).name for file in footage.files] == names
        assert warnings == []
        assert names_of(tmp_path / names[1]) == names, "one of them means them all"

    def test_never_most_are_left_out(self, tmp_path: Path) -> None:
        names = ["attic.jpg", "church1.jpg", "church2.jpg", "door.jpg", "roof.jpg", "tower.jpg"]
        footage, warnings = scan(photos(tmp_path, names))
        assert [Path(file).name for file in footage.files] == names
        assert "photos" in warnings[0]

    def test_seconds_as_decimals(self, tmp_path: Path) -> None:
        """What players and ffmpeg scripts call a frame by its time."""
        names = ["12.05.jpg", "12.1.jpg", "12.75.jpg", "13.5.jpg", "100.25.jpg"]
        footage, warnings = scan(photos(tmp_path, list(reversed(names))))
        assert [Path(file).name for file in footage.files] == names
        assert warnings == []

    @pytest.mark.parametrize("names", [["a.0999.png", "a.1000.png"], ["v1.9.png", "v1.10.png"]])
    def test_counters_are_no_decimals(self, tmp_path: Path, names: list[str]) -> None:
        assert names_of(photos(tmp_path, names)) == names

    def test_times_have_no_gaps(self, tmp_path: Path) -> None:
        for names in (
            ["cam_1700000000.jpg", "cam_1700000500.jpg"],
            ["x_2026-01-01-120000.jpg", "x_2026-01-01-120500.jpg"],
        ):
            folder = photos(tmp_path / names[0][:3], names)
            footage, warnings = scan(folder)
            assert (footage.frame_count, warnings) == (2, [])


class TestFolders:
    def test_companions_are_no_cameras(self, tmp_path: Path) -> None:
        names = ["IMG_0001.jpg", "IMG_0002.jpg"]
        for folder in ("images", "images_2", "masks", "thumbnails", "depth", "v001", "shot_matte"):
            photos(tmp_path / folder, names)
        (tmp_path / "v001.json").write_text("{}")
        footage, warnings = scan(tmp_path)
        assert footage.files == tuple(str(tmp_path / "images" / name) for name in names)
        assert sorted(warning.split()[0] for warning in warnings) == [
            "depth", "images_2", "masks", "shot_matte", "thumbnails", "v001",
        ]  # fmt: skip
        assert names_of(tmp_path / "masks") == names, "named directly it is footage"

    def test_cameras_of_a_rig_stay(self, tmp_path: Path) -> None:
        for folder in ("cam_1", "cam_2"):
            photos(tmp_path / folder, ["a_1.jpg", "a_2.jpg"])
        assert scan(tmp_path)[0].frame_count == 4

    def test_links_end(self, tmp_path: Path) -> None:
        """Two folders that link to each other and to the one above: each counts once."""
        for folder in ("left", "right"):
            photos(tmp_path / folder / "images", ["a_1.jpg"])
        try:
            (tmp_path / "left" / "loop").symlink_to(tmp_path, target_is_directory=True)
        except OSError:
            pytest.skip("no links here")
        (tmp_path / "left" / "other").symlink_to(tmp_path / "right", target_is_directory=True)
        (tmp_path / "right" / "other").symlink_to(tmp_path / "left", target_is_directory=True)
        footage, warnings = scan(tmp_path)
        assert footage.files == tuple(str(tmp_path / each / "images" / "a_1.jpg") for each in ("left", "right"))
        assert any("link" in warning for warning in warnings)

    @pytest.mark.parametrize("name", ["IMG_0001.HEIC", "IMG_0001.DNG", "DSC_0001.NEF"])
    def test_what_to_convert_with(self, tmp_path: Path, name: str) -> None:
        """Also a Live Photo's folder, whose movies are not what was meant."""
        (tmp_path / name).write_bytes(b"x")
        (tmp_path / "IMG_0001.MOV").write_bytes(b"x")
        for path in (tmp_path, tmp_path / name):
            with pytest.raises(FootageError, match=f"{name} is a .* picture") as error:
                scan(path)
            assert error.value.hint


@pytest.mark.parametrize("orientation", [3, 6, 8])
@pytest.mark.parametrize("target", ["brush", "lichtfeld", "t3dgs", "colmap"])
def test_masks_for_programs_that_read_pixels_as_stored(tmp_path: Path, target: str, orientation: int) -> None:
    """Of a photo held upright, the mask lies on the pixels as they are stored, and keeps its camera's folder."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    for folder in ("left", "right"):
        photos(tmp_path / folder, [])
        Image.fromarray(noise()).save(tmp_path / folder / f"IMG_{folder}.jpg", exif=exif.tobytes())
    footage, _ = scan(tmp_path)
    subject = np.zeros((footage.height, footage.width), np.uint8)
    subject[:10, :25] = 255
    job = Job(footage, (MatteObject("a", (Prompt(1, (Point(1, 1),)),)),), output=str(tmp_path / "out"), export=target)
    ((name, write),) = prepare(job, Reader(footage)).frame_files(1, lambda frame, name: subject).items()
    if target != "t3dgs":
        assert "left/IMG_left" in name
    with (tmp_path / "mask.png").open("wb") as file:
        write(file)
    mask = np.asarray(Image.open(tmp_path / "mask.png"))
    assert mask.shape == (HEIGHT, WIDTH)
    stored = {3: subject[::-1, ::-1], 6: np.rot90(subject), 8: np.rot90(subject, -1)}[orientation]
    np.testing.assert_array_equal(mask, 255 - stored if target == "t3dgs" else stored)
