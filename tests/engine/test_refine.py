"""Refine edges: the matte follows the plate's own edges, without seams, and thin parts come out better."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from addon.contract.job import Job
from addon.contract.job_types import MatteObject, Point, Prompt
from addon.engine.footage.footage import scan
from addon.engine.footage.images import to_8_bit
from addon.engine.matting import upsample
from addon.engine.matting.guided_refine import refine
from addon.engine.session import Session

Pixels = NDArray[np.uint8]
WIDTH, HEIGHT, GRID = 1400, 900, 64


@pytest.fixture(scope="module")
def truth() -> Pixels:
    """A wheel with spokes and an ear, 0 or 255."""
    canvas = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(canvas, (700, 450), 250, 255, 40)
    for turn in range(8):
        end = np.array([700, 450]) + 250 * np.array([np.cos(turn * np.pi / 8), np.sin(turn * np.pi / 8)])
        cv2.line(canvas, (700, 450), tuple(map(int, end)), 255, 10)
    cv2.ellipse(canvas, (980, 250), (160, 90), 30, 0, 360, 255, -1)
    return canvas


@pytest.fixture(scope="module")
def plate(truth: Pixels) -> Pixels:
    """Return the wheel in front of a checkered floor, with grain."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH] // 90
    floor = np.where(((rows + columns) % 2)[..., None], (60, 70, 90), (150, 150, 140))
    picture = np.where(truth[..., None] > 0, (190, 60, 40), floor)
    picture = picture + np.random.default_rng(0).normal(0, 6, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


def coarse(truth: Pixels) -> NDArray[np.float16]:
    """Return the best logits of a small grid: those of the fraction of each cell that the subject covers."""
    share = np.clip(cv2.resize(truth / np.float32(255), (GRID, GRID), interpolation=cv2.INTER_AREA), 0.01, 0.99)
    return np.log(share / (1 - share)).astype(np.float16)


def iou(one: Pixels, other: Pixels) -> float:
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)


def test_edges_and_thin_parts(truth: Pixels, plate: Pixels) -> None:
    logits = coarse(truth)
    before, after = upsample.union([logits], WIDTH, HEIGHT), refine(logits, plate, to_8_bit)
    assert set(np.unique(after)) == {0, 255}
    assert iou(after, truth) > 1 - 0.6 * (1 - iou(before, truth))
    spokes = cv2.circle(np.zeros_like(truth), (700, 450), 225, 255, -1) & truth

    def found(result: Pixels) -> float:
        return np.count_nonzero(result & spokes) / np.count_nonzero(spokes)

    assert found(after) > found(before) + 0.2
    far = cv2.dilate(truth, np.ones((101, 101))) == 0
    assert not after[far].any()


def test_tiles_have_no_seams(truth: Pixels, plate: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the last bit of a sum, the tiles decide nothing."""
    results = []
    for tile in (512, 4096, 130):
        monkeypatch.setattr("addon.engine.matting.guided_refine._TILE", tile)
        results.append(refine(coarse(truth), plate, to_8_bit))
    for other in results[1:]:
        assert np.count_nonzero(results[0] != other) <= 20


def test_a_panorama_goes_on_over_its_seam(truth: Pixels, plate: Pixels) -> None:
    by = WIDTH // 2 // 7 * 7  # through the wheel
    logits = coarse(truth)
    whole = refine(logits, plate, to_8_bit, panorama=True)
    cells = by * GRID // WIDTH
    assert cells * WIDTH == by * GRID
    turned = refine(np.roll(logits, cells, 1), np.roll(plate, by, 1), to_8_bit, panorama=True)
    assert np.count_nonzero(turned != np.roll(whole, by, 1)) <= 20


def test_a_thin_part_that_the_model_half_sees_is_found_where_the_plate_shows_it(truth: Pixels, plate: Pixels) -> None:
    """Twigs of a trunk with logits below 0: one that the plate shows, one that it doesn't, one that touches nothing."""
    subject = np.zeros_like(truth)
    cv2.rectangle(subject, (650, 100), (750, 800), 255, -1)
    ends = {
        "there": ((750, 300), (1000, 340)),
        "not there": ((750, 600), (1000, 640)),
        "apart": ((200, 300), (450, 340)),
    }
    twigs = {name: cv2.line(np.zeros_like(truth), *line, 255, 8) for name, line in ends.items()}
    picture = plate.copy()
    picture[:] = (120, 130, 140)
    for shown in (subject, twigs["there"], twigs["apart"]):
        picture[shown > 0] = (190, 60, 40)
    logits = np.where(coarse(subject) > 0, 6, -8).astype(np.float16)
    for twig in twigs.values():
        logits[(cv2.resize(twig, (GRID, GRID), interpolation=cv2.INTER_AREA) > 0) & (logits < 0)] = -1.5
    for panorama, seam in ((False, 0), (True, 875)):  # in a panorama it runs through the twigs
        there, not_there, apart = (np.roll(twigs[name], -seam, 1) for name in ends)
        turned = np.roll(logits, -seam * GRID // WIDTH, 1)
        after = refine(turned, np.roll(picture, -seam, 1), to_8_bit, panorama=panorama)
        assert np.count_nonzero(after & there) > 0.9 * np.count_nonzero(there)
        assert np.count_nonzero(after & not_there) < 0.1 * np.count_nonzero(not_there)
        assert not (after & apart).any()


def test_where_the_plate_says_nothing_the_matte_stays(truth: Pixels) -> None:
    logits = coarse(cv2.circle(np.zeros_like(truth), (700, 450), 300, 255, -1))
    flat = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    assert iou(refine(logits, flat, to_8_bit), upsample.union([logits], WIDTH, HEIGHT)) > 0.99
    nothing = np.full((GRID, GRID), -5, np.float16)
    assert not refine(nothing, flat, to_8_bit).any()
    assert refine(-nothing, flat, to_8_bit).all()


def test_small_plates_are_left_alone(truth: Pixels, plate: Pixels) -> None:
    size = (GRID + 40, GRID + 20)
    small = np.ascontiguousarray(cv2.resize(plate, size))
    logits = coarse(truth)
    np.testing.assert_array_equal(refine(logits, small, to_8_bit), upsample.union([logits], *size))


def test_every_depth_is_a_guide(truth: Pixels, plate: Pixels) -> None:
    expected = refine(coarse(truth), plate, to_8_bit)
    deep = plate.astype(np.uint16) * 257
    np.testing.assert_array_equal(refine(coarse(truth), deep, to_8_bit), expected)
    linear = ((plate / np.float32(255)) ** 2.2).astype(np.float32)
    assert iou(refine(coarse(truth), linear, to_8_bit), expected) > 0.95


def test_an_export_is_refined(tmp_path: Path, truth: Pixels, plate: Pixels, small: Any) -> None:
    """From what is tracked; the same bytes each time."""
    folder = tmp_path / "plates"
    folder.mkdir()
    Image.fromarray(plate).save(folder / "shot.0001.png")
    marked = (MatteObject("wheel", (Prompt(1, (Point(700.5, 220.5),)),)),)
    job = Job(scan(folder)[0], marked, small)
    session = Session(lambda *_: None, bool)
    tracked, _ = session.export(job)
    take = tracked.takes["wheel"]
    found = take.matte(1)
    assert found is not None
    take.put_matte(1, dataclasses.replace(found, logits=coarse(truth)))

    def export(refined: Any) -> tuple[Pixels, bytes]:
        _, version = session.export(dataclasses.replace(job, refine=refined))
        data = (version / "shot.0001.png").read_bytes()
        with Image.open(version / "shot.0001.png") as image:
            return np.asarray(image)[..., 3], data

    plain, _ = export("off")
    np.testing.assert_array_equal(plain, upsample.union([coarse(truth)], WIDTH, HEIGHT))
    first, data = export("filter")
    np.testing.assert_array_equal(first, refine(coarse(truth), plate, to_8_bit))
    assert export("filter")[1] == data
    shown = session.finish(dataclasses.replace(job, refine="filter"), 1, {"wheel": str(take.folder)})
    with np.load(shown) as found_there:
        np.testing.assert_array_equal(found_there["alpha"][0], first)
