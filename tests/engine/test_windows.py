"""The second look at edges: windows that cover them, answers that are merged without a step, and a model that errs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from test_refine import HEIGHT, WIDTH, coarse, iou, plate, truth  # noqa: F401 (fixtures)

from addon.contract.job import Job
from addon.contract.job_types import MatteObject, Point, Prompt
from addon.engine.footage.footage import scan
from addon.engine.footage.images import to_8_bit
from addon.engine.matting import upsample
from addon.engine.matting.window_refine import blend, look_again, windows
from addon.engine.sam2 import model
from addon.engine.session import Session


def ring(rows: int, columns: int) -> NDArray[np.bool_]:
    middle, axes = (columns // 2, rows // 2), (columns // 3, rows // 3)
    return cv2.ellipse(np.zeros((rows, columns), np.uint8), middle, axes, 0, 0, 360, 1, 9) > 0


@pytest.mark.parametrize(("rows", "columns"), [(1500, 2250), (500, 750), (100, 3000), (90, 80)])
def test_windows_cover_the_band_and_no_more(rows: int, columns: int) -> None:
    band = ring(rows, columns)
    found = windows(band, 256)
    covered = np.zeros_like(band)
    for window in found:
        part = covered[window.cells]
        assert part.shape == (min(256, rows), min(256, columns)), "it lies inside the grid"
        assert band[window.cells].any()
        part[:] = True
    assert covered[band].all()
    assert len(found) <= np.ceil(rows / 192) * np.ceil(columns / 192)
    assert windows(np.zeros_like(band), 256) == []


def field(rows: int, columns: int) -> NDArray[np.float32]:
    noise = np.random.default_rng(0).normal(size=(rows, columns)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 20) * 100)


@pytest.mark.parametrize("missing", [False, True])
def test_no_step_where_windows_meet_or_one_is_missing(missing: bool) -> None:
    band = ring(700, 900)
    grid, true = field(700, 900), field(700, 900) + 8
    answers = [(window, true[window.cells]) for window in windows(band, 256)][1 if missing else 0 :]
    merged = blend(grid, band, answers, 10)
    inside = cv2.erode(band.astype(np.uint8), np.ones((3, 3))) > 0
    if missing:
        assert np.abs(merged - grid).min() == 0
    else:
        np.testing.assert_allclose(merged[inside], true[inside], atol=0.1)
    far = cv2.dilate(band.astype(np.uint8), np.ones((31, 31))) == 0
    np.testing.assert_array_equal(merged[far], grid[far])
    steps = max(np.abs(np.diff(merged - grid, axis=axis)).max() for axis in (0, 1))
    assert steps < 8 / 3, "from one to the other takes some cells, everywhere"
    np.testing.assert_allclose(blend(grid, band, [], 10), grid, atol=1e-5)


@pytest.fixture(scope="module")
def loaded(checkpoint: Any) -> model.Loaded:
    return model.load(model.find(checkpoint))


def test_only_the_edge_can_change(truth: Any, plate: Any, loaded: model.Loaded) -> None:  # noqa: F811
    """Whatever the model answers, it counts only in the band, and only if it agrees with what is certain."""
    logits = coarse(truth)
    with loaded.computing():
        finer = look_again(loaded.predictor, logits, plate, to_8_bit)
        again = look_again(loaded.predictor, logits, plate, to_8_bit)
    assert finer.shape[0] == finer.shape[1], "as squashed as they were"
    assert 1.5 * logits.shape[0] < finer.shape[0] <= HEIGHT / 4
    np.testing.assert_array_equal(finer, again)
    before, after = (upsample.union([array], WIDTH, HEIGHT) for array in (logits, finer))
    pitch = WIDTH / logits.shape[1]
    near = cv2.dilate(before, np.ones((int(8 * pitch),) * 2)) != cv2.erode(before, np.ones((int(8 * pitch),) * 2))
    np.testing.assert_array_equal(before[~near], after[~near])
    assert iou(after, truth) > iou(before, truth) - 0.05


def test_what_is_fine_enough_is_left_alone(truth: Any, plate: Any, loaded: model.Loaded) -> None:  # noqa: F811
    logits = coarse(truth)
    small = np.asarray(cv2.resize(plate, (400, 300)), np.uint8)
    assert look_again(loaded.predictor, logits, small, to_8_bit) is logits
    nothing = np.full_like(logits, -5)
    assert look_again(loaded.predictor, nothing, plate, to_8_bit) is nothing


def test_an_export_looks_again(tmp_path: Path, truth: Any, plate: Any, small: Any) -> None:  # noqa: F811
    folder = tmp_path / "plates"
    folder.mkdir()
    Image.fromarray(plate).save(folder / "shot.0001.png")
    marked = (MatteObject("wheel", (Prompt(1, (Point(700.5, 220.5),)),)),)
    job = Job(scan(folder)[0], marked, small, refine="windows")
    session = Session(lambda *_: None, bool)
    take = session.track(job).takes["wheel"]
    found = take.matte(1)
    assert found is not None
    take.put_matte(1, dataclasses.replace(found, logits=coarse(truth)))
    versions = [session.export(job)[1] / "shot.0001.png" for _ in range(2)]
    assert versions[0].read_bytes() == versions[1].read_bytes()
    with Image.open(versions[0]) as image:
        assert iou(np.asarray(image)[..., 3], truth) > 0.8
