"""A panorama as pinhole views: COLMAP's own cameras and rotations see in them what the panorama shows there."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
import pytest
from numpy.typing import NDArray
from PIL import Image

from addon.contract.errors import JobError
from addon.contract.job import Job
from addon.contract.job_types import Delivery, Footage, Mask, MatteObject, Point, Prompt, StaticMask
from addon.engine.export import export, prepare
from addon.engine.footage.footage import Reader
from addon.engine.matting.pipeline import Mattes

WIDTH, HEIGHT = 512, 256
TARGET = np.array([0.3, -0.5, -0.81])  # towards the subject: up, and behind
SIZE = 0.45  # radians


def directions() -> NDArray[np.float64]:
    """(H, W, 3): where each pixel of the panorama looks; x to the right, y down, z forward."""
    longitude = ((np.arange(WIDTH) + 0.5) / WIDTH - 0.5) * 2 * np.pi
    latitude = (((np.arange(HEIGHT) + 0.5) / HEIGHT - 0.5) * np.pi)[:, None]
    x, z = np.cos(latitude) * np.sin(longitude), np.cos(latitude) * np.cos(longitude)
    return np.stack(np.broadcast_arrays(x, np.sin(latitude), z), axis=-1)


def colours(looking: NDArray[np.float64], depth: type) -> NDArray[Any]:
    """A smooth colour for each direction (..., 3)."""
    return (np.iinfo(depth).max * (0.5 + 0.4 * looking)).round().astype(depth)


def inside(looking: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(looking @ (TARGET / np.linalg.norm(TARGET)) > np.cos(SIZE))


@pytest.fixture
def job(tmp_path: Path) -> Job:
    folder = tmp_path / "pano"
    folder.mkdir()
    file = folder / "p1.png"
    Image.fromarray(colours(directions(), np.uint8)).save(file)
    footage = Footage((str(file),), WIDTH, HEIGHT, 1, panorama=True)
    marked = (MatteObject("subject", (Prompt(1, (Point(1, 1),)),)),)
    return Job(footage, marked, output=str(tmp_path / "out"), target="pinhole")


def written(job: Job) -> Path:
    """The version, with the subject where it is."""
    logits = np.where(inside(directions()), 8, -8).astype(np.float16)
    writer = prepare(job, Reader(job.footage))
    mattes = Mattes(job, {"subject": lambda frame: logits}, static=writer.static)
    return export(
        writer,
        lambda frame, name: mattes.finished(frame, name, soft=False),
        frames=[1],
        key="k",
        report={},
        on_frame=lambda *_: None,
        cancelled=lambda: False,
    )


@pytest.mark.parametrize(("views", "count"), [("cube", 6), ("6x3", 18), ("4x1", 4)])
def test_colmaps_cameras_see_what_the_panorama_shows(job: Job, views: str, count: int) -> None:
    version = written(dataclasses.replace(job, delivery=Delivery(views=views)))
    (rig,) = pycolmap.read_rig_config(version / "rig_config.json")
    assert len(rig.cameras) == count
    reference = None if views == "cube" else {"6x3": 60.0, "4x1": 0.0}[views]
    covered = 0.0
    for number, camera in enumerate(rig.cameras):
        image = np.asarray(Image.open(version / "images" / camera.image_prefix / "p1.png"))
        mask = np.asarray(Image.open(version / "masks" / camera.image_prefix / "p1.png.png")) > 127
        side = len(image)
        assert image.shape == (side, side, 3)
        assert mask.shape == (side, side)
        across = np.stack(np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5), axis=-1).reshape(-1, 2)
        flat = camera.camera.cam_from_img(across)
        looking = np.concatenate([flat, np.ones((len(flat), 1))], axis=1)
        looking /= np.linalg.norm(looking, axis=1, keepdims=True)
        if number:
            assert camera.cam_from_rig is not None
            looking = looking @ camera.cam_from_rig.rotation.matrix()
        if reference:  # the rig's frame is the first camera's, which looks up
            pitch = np.radians(reference)
            looking = looking @ np.array(
                [[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]]
            )
        expected = colours(looking, np.uint8).reshape(side, side, 3)
        assert np.abs(image.astype(int) - expected).max() <= 3
        assert (mask == inside(looking).reshape(side, side)).mean() > 0.99
        covered += float(mask.mean())
    assert covered > 0.05, "the subject is seen"


def test_sixteen_bits_stay_and_the_mask_can_be_inverted(job: Job, tmp_path: Path) -> None:
    import cv2

    plate = colours(directions(), np.uint16)
    cv2.imwrite(job.footage.files[0], plate[..., ::-1])
    version = written(dataclasses.replace(job, invert=True))
    front = cv2.imread(str(version / "images" / "front" / "p1.png"), cv2.IMREAD_UNCHANGED)
    assert front.dtype == np.uint16
    assert abs(int(front[front.shape[0] // 2, front.shape[1] // 2, 0]) - 0.9 * 65535) < 300
    assert (np.asarray(Image.open(version / "masks" / "front" / "p1.png.png")) == 255).all()


@pytest.mark.parametrize("invert", [False, True])
def test_what_is_static_is_in_no_view(job: Job, tmp_path: Path, invert: bool) -> None:
    """A tripod below, where the lowest view looks: black, while the subject above is as it was."""
    below = Path(tmp_path / "static.png")
    drawn = np.zeros((HEIGHT, WIDTH), np.uint8)
    drawn[HEIGHT * 7 // 8 :] = 255
    Image.fromarray(drawn).save(below)
    plain, masked = (
        np.asarray(Image.open(written(dataclasses.replace(each, invert=invert)) / "masks" / "down" / "p1.png.png"))
        for each in (job, dataclasses.replace(job, static_masks=(StaticMask(Mask(file=str(below))),)))
    )
    y, x = np.mgrid[: len(masked), : len(masked)] + 0.5 - len(masked) / 2
    angle = np.degrees(np.arctan(np.hypot(x, y) * 2 / len(masked)))  # from straight down; the view sees 90 degrees
    assert not masked[angle < 22].any()
    np.testing.assert_array_equal(masked[angle > 23], plain[angle > 23])
    assert plain.any() == invert


@pytest.mark.parametrize(
    ("footage", "where"), [({"panorama": False}, "footage.panorama"), ({"height": HEIGHT - 1}, "footage")]
)
def test_what_is_no_whole_panorama_is_refused(job: Job, footage: dict[str, Any], where: str) -> None:
    job = dataclasses.replace(job, footage=dataclasses.replace(job.footage, **footage))
    with pytest.raises(JobError) as caught:
        prepare(job, Reader(job.footage))
    assert caught.value.where == where
