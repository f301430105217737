"""Edge colours: the subject's own colours beside and under its edge, while all other pixels stay the same."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from addon.contract.job import Job
from addon.contract.job_types import Delivery, MatteObject, Point, Prompt
from addon.engine.export import export, prepare
from addon.engine.export.edge_colours import continue_colours, reach
from addon.engine.footage.footage import Reader, scan

WIDTH, HEIGHT, FINER = 640, 480, 4


def smooth(seed: int, low: tuple[int, int, int], high: tuple[int, int, int]) -> NDArray[Any]:
    """A texture (HEIGHT, WIDTH, 3) between two colours."""
    cells = np.random.default_rng(seed).random((HEIGHT // 16, WIDTH // 16, 1)).astype(np.float32)
    share = cv2.resize(cells, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)[..., None].clip(0, 1)
    return np.asarray(share * np.array(low) + (1 - share) * np.array(high))


@dataclasses.dataclass
class Scene:
    alone: NDArray[Any]
    share: NDArray[Any]
    picture: NDArray[np.uint8]
    matte: NDArray[np.uint8]


@pytest.fixture(scope="module")
def scene() -> Scene:
    """Return a red wheel with thin spokes in front of something blue; a part of it is outside the picture."""
    large = np.zeros((HEIGHT * FINER, WIDTH * FINER), np.uint8)
    cv2.circle(large, (1300, 1000), 600, 255, 240)
    cv2.line(large, (1300, 1000), (2559, 100), 255, 12)
    cv2.rectangle(large, (0, 1500), (700, 1919), 255, -1)
    small = cv2.resize(large, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA) / 255
    share = cv2.GaussianBlur(small, (0, 0), 0.7)
    alone = smooth(0, (210, 70, 40), (150, 110, 60))
    mixed = share[..., None] * alone + (1 - share[..., None]) * smooth(1, (20, 50, 160), (60, 90, 220))
    picture = np.rint(mixed + np.random.default_rng(2).normal(0, 2, mixed.shape)).clip(0, 255).astype(np.uint8)
    return Scene(alone, share, picture, np.where(share >= 0.5, 255, 0).astype(np.uint8))


def shrunk_error(scene: Scene, rgb: NDArray[Any], alpha: NDArray[np.uint8], to: tuple[int, int]) -> float:
    """Mean difference of levels at the edge, each channel shrunk by itself as trainers do."""
    levels = np.iinfo(rgb.dtype).max / 255

    def shrunk(channel: NDArray[Any]) -> NDArray[np.float32]:
        return np.asarray(Image.fromarray(channel.astype(np.float32)).resize(to, Image.Resampling.LANCZOS))

    seen = np.dstack([shrunk(rgb[..., i] / levels) for i in range(3)])
    opacity = shrunk(alpha)[..., None] / 255
    covered = shrunk(scene.share)[..., None]
    truth = np.dstack([shrunk(scene.alone[..., i] * scene.share) for i in range(3)]) / np.maximum(covered, 0.01)
    edge = ((opacity > 0.05) & (opacity < 0.95) & (covered > 0.05))[..., 0]
    assert edge.sum() > 500
    return float(np.abs(seen - truth)[edge].mean())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_fringes_are_gone_and_the_rest_stays(scene: Scene, dtype: Any) -> None:
    source = scene.picture.astype(dtype) * (257 if dtype == np.uint16 else 1)
    result, matte = source.copy(), scene.matte.copy()
    continue_colours(result, matte)
    np.testing.assert_array_equal(matte, scene.matte)
    for to in ((320, 240), (400, 300)):
        before = shrunk_error(scene, source, matte, to)
        after = shrunk_error(scene, result, matte, to)
        assert after < before / 2, (to, before, after)
    changed = (result != source).any(-1)
    away = cv2.distanceTransform(~matte, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    deep = cv2.distanceTransform(matte, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    assert not changed[away > 1.5 * reach(HEIGHT, WIDTH)].any()
    assert not changed[deep > 4].any()
    assert changed[(away > 0) & (away < 6)].all()


def test_soft_alpha_keeps_what_is_the_subjects(scene: Scene) -> None:
    """Exact alpha: colours that are the subject's are found under it."""
    result = scene.picture.copy()
    continue_colours(result, np.rint(scene.share * 255).astype(np.uint8))
    half = (scene.share > 0.3) & (scene.share < 0.7)
    before, after = (np.abs(colours - scene.alone)[half].mean() for colours in (scene.picture.astype(float), result))
    assert after < before / 4, (before, after)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (130, 128)])
def test_without_an_edge_nothing_changes(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)
    for value in (0, 255):
        result = picture.copy()
        continue_colours(result, np.full(size, value, np.uint8))
        np.testing.assert_array_equal(result, picture)


@pytest.mark.parametrize("column", [1, 127, 128, 129, 4999])
def test_an_edge_where_tiles_meet(column: int) -> None:
    """A red half beside a blue one, large enough for cells of several pixels."""
    picture = np.zeros((6, 5000, 3), np.uint8)
    picture[:, :column] = 255, 0, 0
    picture[:, column:] = 0, 0, 255
    matte = np.zeros((6, 5000), np.uint8)
    matte[:, :column] = 255
    continue_colours(picture, matte)
    np.testing.assert_array_equal(
        picture[:, : column + 20], np.broadcast_to((255, 0, 0), picture[:, : column + 20].shape)
    )
    np.testing.assert_array_equal(picture[:, column + 60 :, 2], 255)


def test_in_an_export(scene: Scene, tmp_path: Path) -> None:
    """Two versions: the second has the first's alpha and its inside; the report says what differs."""
    (tmp_path / "plates").mkdir()
    Image.fromarray(scene.picture).save(tmp_path / "plates" / "a.png")
    marked = (MatteObject("wheel", (Prompt(1, (Point(1, 1),)),)),)
    job = Job(scan(tmp_path / "plates")[0], marked, output=str(tmp_path / "out"))
    found = []
    for delivery in (Delivery(), Delivery(edge_colours="subject")):
        asked = dataclasses.replace(job, delivery=delivery)
        version = export(
            prepare(asked, Reader(job.footage)),
            lambda frame, name: scene.matte.copy(),
            frames=[1],
            key="k",
            report={},
            on_frame=lambda *_: None,
            cancelled=lambda: False,
        )
        text = json.loads(version.with_suffix(".json").read_text(encoding="utf-8"))["report"]["export"]["files"]
        found.append((np.asarray(Image.open(version / "a.png")), text))
    (as_shot, before), (continued, after) = found
    np.testing.assert_array_equal(as_shot[..., :3], scene.picture)
    np.testing.assert_array_equal(as_shot[..., 3], continued[..., 3])
    expected = scene.picture.copy()
    continue_colours(expected, scene.matte)
    np.testing.assert_array_equal(continued[..., :3], expected)
    assert "subject's own colours" in after
    assert "subject's own colours" not in before
