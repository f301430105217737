"""Label fusion: patches correct where the flow is off, and each side counts where it matches the picture."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from addon.contract.job_types import Footage
from addon.engine.footage.footage import Reader
from addon.engine.review.both_sides import SIDE, Flow, Soft, iou
from addon.engine.review.label_fusion import Carried, agreement, carried, fused, joined
from addon.engine.review.repair import Offer, outlines_of

Picture = np.ndarray


def spotted(seed: int, spot: int = 6) -> Picture:
    cells = np.random.default_rng(seed).integers(0, 256, (SIDE // spot + 1, SIDE // spot + 1, 3), np.uint8)
    return cv2.resize(cells, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)


def star(x: int, y: int) -> Soft:
    """A shape with five thin points."""
    turns = np.arange(10) * np.pi / 5
    far = np.where(np.arange(10) % 2, 40, 130)
    corners = np.stack((x + far * np.cos(turns), y + far * np.sin(turns)), axis=1)
    return cv2.fillPoly(np.zeros((SIDE, SIDE), np.float32), [corners.astype(np.int32)], 1.0)


def scene(x: int, y: int) -> tuple[Picture, Soft]:
    """A spotted star before a spotted wall, and its matte."""
    matte = star(x, y)
    moved = np.roll(spotted(1), (y - 256, x - 256), (0, 1))
    return np.where(matte[..., None] > 0, moved, spotted(2)).astype(np.uint8), matte


@pytest.mark.parametrize(("x", "y"), [(2, 0), (-2, 4), (4, -4)])
def test_patches_correct_what_the_flow_missed(x: int, y: int) -> None:
    picture, truth = scene(256, 256)
    other, matte = scene(256 + x, 256 + y)
    before, after = iou(matte, truth), iou(fused(picture, [(other, matte)]).matte, truth)
    assert 1 - after < 0.4 * (1 - before)


def test_without_a_matte_nothing_is_found() -> None:
    found = fused(spotted(1), [(spotted(2), np.zeros((SIDE, SIDE), np.float32))])
    assert not found.matte.any()


def test_the_side_that_matches_counts() -> None:
    """One side does not see the right half of the subject, the other not the left one."""
    whole = star(256, 256)
    left, right = whole.copy(), whole.copy()
    left[:, 256:], right[:, :256] = 0, 0
    fits, misses = np.full((SIDE, SIDE), 4, np.float32), np.full((SIDE, SIDE), 4, np.float32)
    fits[:, 256:], misses[:, :256] = 5000, 5000
    sides = [Carried(left, fits), Carried(right, misses)]
    assert iou(joined(sides), whole) == 1
    assert agreement(*sides) > 0.99, "they never see the same place"
    unsure = np.full((SIDE, SIDE), 4, np.float32)
    assert agreement(Carried(left, unsure), Carried(right, unsure)) == 0, "both see all of it"


def test_a_side_without_the_subject_is_no_better_match() -> None:
    """The subject is beside the place where one side has seen it: its empty matte there must not win."""
    picture, truth = scene(256, 256)
    grain = np.random.default_rng(3).normal(0, 8, picture.shape)
    there = fused(picture, [(np.clip(picture + grain, 0, 255).astype(np.uint8), truth)])
    elsewhere = fused(picture, [scene(100, 256)])
    assert not elsewhere.matte[:, 300:].any()
    assert iou(joined([there, elsewhere])[:, 300:], truth[:, 300:]) > 0.98


def test_mattes_are_carried_through_frames(tmp_path: Path) -> None:
    files, mattes = [], []
    for i in range(6):
        picture, matte = scene(232 + 9 * i, 256 + 3 * i)
        files.append(str(tmp_path / f"{i}.png"))
        Image.fromarray(picture).save(files[-1])
        mattes.append(matte)
    flow = Flow(Reader(Footage(tuple(files), SIDE, SIDE, len(files))))
    ahead = carried(flow, {1: mattes[0], 2: mattes[1]}, [3, 4, 5])
    back = carried(flow, {6: mattes[5]}, [5, 4, 3])
    assert list(ahead) == [3, 4, 5] and list(back) == [5, 4, 3]
    by_flow = mattes[1]
    for frame in ahead:
        by_flow = flow.moved({0: by_flow}, frame - 1, frame)[0]
        found = iou(joined([ahead[frame], back[frame]]), mattes[frame - 1])
        assert found > max(0.92, iou(by_flow, mattes[frame - 1])), frame


def test_outlines_keep_thin_parts() -> None:
    mask = star(256, 256) > 0
    (curve,) = outlines_of(Offer(1, mask, 1.0, ""), SIDE, SIDE)
    drawn = cv2.fillPoly(np.zeros((SIDE, SIDE), np.float32), [np.round(curve - 0.5).astype(np.int32)], 1.0)
    assert iou(drawn, mask.astype(np.float32)) > 0.97
