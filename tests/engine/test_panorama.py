"""360-degree footage: a subject on the seam has one matte, whichever side it is marked on."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from addon.contract.automatic import Parts
from addon.contract.job import Job
from addon.contract.job_types import Footage, Mask, MatteObject, Model, Point, Prompt
from addon.contract.rle import Rle
from addon.engine.automatic.grid import iou, part_inside, resized
from addon.engine.footage import panorama
from addon.engine.matting import upsample
from addon.engine.session import Session

WIDTH, HEIGHT = 320, 160


@pytest.fixture
def footage(tmp_path: Path) -> Footage:
    """Four frames of a world without an edge; a disk lies on the seam."""
    folder = tmp_path / "pano"
    folder.mkdir()
    files = []
    for index in range(4):
        y, x = np.mgrid[:HEIGHT, :WIDTH]
        around = 128 + 100 * np.cos(x * 2 * np.pi / WIDTH)
        picture = np.stack([around, y, np.full_like(x, 60)], 2).astype(np.uint8)
        picture[disk(2.0 * index)] = (230, 40, 30)
        files.append(str(folder / f"{index:03d}.png"))
        Image.fromarray(picture).save(files[-1])
    return Footage(tuple(files), WIDTH, HEIGHT, 4, panorama=True)


def disk(centre: float) -> NDArray[np.bool_]:
    """A disk around (centre, 80), over the seam."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    across = (x - centre + WIDTH / 2) % WIDTH - WIDTH / 2
    return np.hypot(across, y - 80) < 28


def mattes(job: Job) -> dict[int, NDArray[np.float32]]:
    """The logits of each frame of the only object."""
    done = Session(lambda *_: None, lambda: False).track(job)
    take = done.takes[job.objects[0].name]
    found = {frame: take.matte(frame) for frame in done.frames}
    return {frame: matte.logits.astype(np.float32) for frame, matte in found.items() if matte}


def marked(footage: Footage, checkpoint: Model, output: Path, *points: Point, mask: Mask | None = None) -> Job:
    subject = MatteObject("disk", (Prompt(1, points, mask=mask),))
    return Job(footage, (subject,), checkpoint, output=str(output), target="")


def test_mattes_are_continuous_over_the_seam(footage: Footage, checkpoint: Model, tmp_path: Path) -> None:
    found = mattes(marked(footage, checkpoint, tmp_path / "out", Point(6, 80)))
    assert sorted(found) == [1, 2, 3, 4]
    flat = mattes(marked(dataclasses.replace(footage, panorama=False), checkpoint, tmp_path / "flat", Point(6, 80)))
    for frame, logits in found.items():
        usual = np.abs(np.diff(logits, axis=1)).mean()
        jump, jump_if_flat = (np.abs(array[:, 0] - array[:, -1]).mean() for array in (logits, flat[frame]))
        assert jump < 2 * usual
        assert jump < jump_if_flat / 2
        assert logits.shape[1] < flat[frame].shape[1]


def test_what_lies_on_the_seam_is_found_once(footage: Footage, checkpoint: Model, tmp_path: Path) -> None:
    """This holds for everything that is found without a click, since pictures, masks and tracking are the same."""
    for index, file in enumerate(footage.files):  # of so small a network few masks meet the limits: something plain
        plate = np.full((HEIGHT, WIDTH, 3), (90, 110, 90), np.uint8)
        plate[disk(2.0 * index)] = (200, 60, 40)
        Image.fromarray(plate).save(file)
    search = Parts(step=2, points_per_side=8, pred_iou_thresh=0.7, stability_score_thresh=0.9)
    job = Job(footage, (), checkpoint, output=str(tmp_path), target="segments", frame_range=(1, 3), parts=search)
    _, version = Session(lambda *_: None, lambda: False).export(job)
    seen = []
    for frame, file in enumerate(sorted((version / "index").glob("*.json")), 1):
        segments = json.loads(file.read_text())["segments"]
        masks = {segment["id"]: Rle.from_coco(segment["segmentation"]).mask() for segment in segments}
        truth = disk(2.0 * (frame - 1))
        seen.append([id_ for id_, mask in masks.items() if iou(resized(mask, truth.shape), truth) > 0.8])
        halves = [id_ for id_, mask in masks.items() if part_inside(resized(mask, truth.shape), truth) > 0.9]
        assert halves == seen[-1], "nothing else is a piece of it"
    assert len(seen) == 3
    assert seen[0] == seen[1] == seen[2]
    assert len(seen[0]) == 1


def test_either_side_of_the_seam_is_the_same_mark(footage: Footage, checkpoint: Model, tmp_path: Path) -> None:
    """One at x = 0, one at the right border: the same place in the world."""
    left = mattes(marked(footage, checkpoint, tmp_path / "left", Point(0, 80)))
    right = mattes(marked(footage, checkpoint, tmp_path / "right", Point(WIDTH - 1e-3, 80)))
    for frame in left:
        np.testing.assert_allclose(left[frame], right[frame], atol=0.2)


def test_a_mask_over_the_seam_stays_whole(footage: Footage, checkpoint: Model, tmp_path: Path) -> None:
    drawn = tmp_path / "mask.png"
    Image.fromarray(disk(0).astype(np.uint8) * 255).save(drawn)
    found = mattes(marked(footage, checkpoint, tmp_path / "out", mask=Mask(str(drawn))))
    made = upsample.union([found[1].astype(np.float16)], WIDTH, HEIGHT, panorama=True) > 0
    overlap = (made & disk(0)).sum() / (made | disk(0)).sum()
    assert overlap > 0.93


@pytest.mark.parametrize("width", [300, 7])
def test_enlarging_goes_on_over_the_seam(width: int) -> None:
    """The same picture turned by half of the world gives the same matte, turned."""
    logits = np.random.default_rng(3).normal(size=(16, 20)).astype(np.float16)
    here = upsample.union([logits], 2 * width, 90, panorama=True)
    there = upsample.union([np.roll(logits, 10, 1)], 2 * width, 90, panorama=True)
    np.testing.assert_array_equal(np.roll(here, width, 1), there)


def test_strips_are_the_other_side() -> None:
    x = np.broadcast_to(np.arange(80, dtype=np.uint8)[None, :, None], (80, 80, 3)).copy()
    wide = panorama.widen(x)
    assert wide.shape == x.shape
    strip = next(i for i in range(1, 80) if abs(int(wide[0, i, 0]) - int(wide[0, i - 1, 0])) > 40)
    assert panorama.places(0.0, 80)[0] == pytest.approx(strip / 80)
    for across in (0.01, 0.5, 0.99):
        for place in panorama.places(across, 80):
            assert wide[0, min(79, int(place * 80)), 0] == pytest.approx(across * 80, abs=3)
    assert len(panorama.places(0.5, 80)) == 1
    assert len(panorama.places(0.99, 80)) == 2


def test_what_is_narrowed_is_what_was_widened() -> None:
    logits = np.random.default_rng(5).normal(size=(32, 32))
    narrow = panorama.narrow(logits)
    np.testing.assert_array_equal(panorama.narrow(panorama.widened(narrow)), narrow)
    assert panorama.widened(narrow).shape == (32, 32)
