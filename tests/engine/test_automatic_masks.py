"""Automatic masks are upstream's: an unmodified SAM2AutomaticMaskGenerator with the same weights."""

import dataclasses
import os
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from conftest import Clip
from PIL import Image

from addon.contract.job import Job
from addon.contract.job_types import MatteObject, Model, Point, Prompt
from addon.contract.rle import Rle
from addon.engine.automatic import suggestions
from addon.engine.automatic.masks import Settings, generate, nms
from addon.engine.sam2 import model
from addon.engine.session import Session


@pytest.fixture(scope="module")
def upstream() -> Any:
    """SAM2AutomaticMaskGenerator.

    Beside a torch without CUDA, the registry's torchvision for Linux can't load its compiled operators, of which NMS is
    the only one needed here: then it gets a plain one.
    """
    try:
        import torchvision.ops.boxes
    except RuntimeError:
        for name in [name for name in sys.modules if name.startswith("torchvision")]:
            del sys.modules[name]
        sys.modules["torchvision._meta_registrations"] = types.ModuleType("without_operators")
        import torchvision.ops.boxes

        torchvision.ops.boxes.nms = plain_nms
    from sam2.automatic_mask_generator import SAM2AutomaticMaskGenerator

    return SAM2AutomaticMaskGenerator


def plain_nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    kept: list[int] = []
    for i in scores.argsort(descending=True, stable=True).tolist():
        if all(iou(boxes[i], boxes[j]) <= iou_threshold for j in kept):
            kept.append(i)
    return torch.tensor(kept, dtype=torch.int64)


def iou(a: torch.Tensor, b: torch.Tensor) -> float:
    low, high = torch.maximum(a[:2], b[:2]), torch.minimum(a[2:], b[2:])
    shared = (high - low).clamp(min=0).prod()
    both = (a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared
    return float(shared / both) if both > 0 else 0.0


@pytest.fixture(scope="module")
def loaded(checkpoint: Model) -> Iterator[model.Loaded]:
    loaded = model.load(model.find(checkpoint))
    with loaded.computing():
        yield loaded


@pytest.fixture
def picture(clip) -> np.ndarray:
    return np.array(Image.open(clip.files[0]).resize((320, 180)))


# Random weights give masks of little worth, most of which reach over the whole picture: limits at which many survive.
LOOSE = {
    "points_per_side": 5,
    "pred_iou_thresh": 0.3,
    "stability_score_thresh": 0.1,
    "stability_score_offset": 0.02,
    "box_nms_thresh": 1.0,
}
CASES = {
    "grid": {},
    "duplicates": {"mask_threshold": 0.15, "box_nms_thresh": 0.7},
    "crops": {"crop_n_layers": 1, "crop_n_points_downscale_factor": 2, "crop_nms_thresh": 1.0},
    "m2m": {"use_m2m": True},
}


@pytest.mark.parametrize("case", CASES)
def test_masks_equal_upstream(upstream: Any, loaded: model.Loaded, picture: np.ndarray, case: str) -> None:
    parameters = LOOSE | CASES[case]
    if case == "duplicates":  # as large as the input: what a last bit decides is decided alike
        picture = np.array(Image.fromarray(picture).resize((loaded.predictor.image_size,) * 2))
    generator = upstream(loaded.predictor, **parameters)
    side = loaded.predictor.image_size // 4
    generator.predictor._bb_feat_sizes = [(side, side), (side // 2, side // 2), (side // 4, side // 4)]
    theirs = generator.generate(picture)
    ours = generate(loaded.predictor, picture, Settings(**parameters))
    assert len(theirs) >= 5, "too few masks would prove nothing"
    assert abs(len(ours) - len(theirs)) <= 0.02 * len(theirs)
    same = [max(overlap(mask["segmentation"], one.segmentation.mask()) for one in ours) >= 0.99 for mask in theirs]
    assert np.mean(same) >= 0.98, (case, len(theirs), np.mean(same))


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max(1, (a | b).sum()))


def test_large_pictures_give_masks_of_bounded_size(loaded: model.Loaded, picture: np.ndarray) -> None:
    large = np.asarray(Image.fromarray(picture).resize((2560, 1440)))
    settings = Settings(**LOOSE | {"points_per_side": 3})
    small = generate(loaded.predictor, picture, settings)
    found = generate(loaded.predictor, large, settings)
    assert found
    assert {(mask.segmentation.height, mask.segmentation.width) for mask in found} == {(576, 1024)}
    assert all(0 <= mask.area <= 2560 * 1440 for mask in found)
    assert max(mask.area for mask in found) / max(mask.area for mask in small) == pytest.approx(64, rel=0.2)


def test_small_regions_go(loaded: model.Loaded, picture: np.ndarray) -> None:
    """Measured where masks have the logits' size, at which upstream also removes small regions."""
    side = loaded.predictor.image_size // 4
    square = np.array(Image.fromarray(picture).resize((side, side)))

    def smallest(area: int) -> int:
        settings = Settings(**LOOSE | {"points_per_side": 3}, min_mask_region_area=area)
        masks = [mask.segmentation.mask() for mask in generate(loaded.predictor, square, settings)]
        regions = [cv2.connectedComponentsWithStats(mask.astype(np.uint8))[2] for mask in masks]
        return min(int(stats[1:, cv2.CC_STAT_AREA].min()) for stats in regions)

    assert smallest(0) < 20 < smallest(20)


def test_duplicates_by_box_go_the_best_stays() -> None:
    boxes = np.array([(0, 0, 10, 10), (0, 0, 10, 9), (20, 20, 30, 30), (5, 5, 5, 5), (5, 5, 5, 5)], np.float32)
    scores = np.array([0.5, 0.9, 0.1, 0.2, 0.2], np.float32)
    assert nms(boxes, scores, 0.7) == [1, 3, 4, 2]


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (40, 3)])
def test_run_lengths_keep_every_pixel(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(1)
    for mask in (noise.random(size) < 0.5, np.zeros(size, bool), np.ones(size, bool)):
        rle = Rle.of(mask)
        assert np.array_equal(rle.mask(), mask)
        assert rle.area == mask.sum()
        again = Rle.from_coco(rle.to_coco())
        assert np.array_equal(again.mask(), mask)


def test_run_lengths_are_cocos() -> None:
    """The text that pycocotools 2.0 gives of this mask."""
    mask = np.zeros((6, 8), bool)
    mask[1:5, 2:7] = True
    mask[3, 4] = False
    assert Rle.of(mask).to_coco() == {"size": [6, 8], "counts": "=4200NOO13005"}


def test_suggestions_of_a_frame_are_made_once(
    clip: Clip, checkpoint: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are computed again only for another image or another frame. The Job's markers do not matter."""
    made = []

    def counted(predictor: Any, picture: Any, settings: Settings, **more: Any) -> Any:
        made.append(picture.shape)
        return generate(predictor, picture, dataclasses.replace(settings, points_per_side=4), **more)

    monkeypatch.setattr(suggestions, "generate", counted)
    footage = clip.take(2)
    marks = [MatteObject("a", (Prompt(1, (Point(*place),)),)) for place in (clip.subject, clip.elsewhere)]
    job = Job(footage, (marks[0],), checkpoint, output=str(tmp_path / "out"), target="")
    marked = dataclasses.replace(job, objects=(marks[1],))
    session = Session(lambda *_: None, lambda: False)
    first = session.suggest(job, 1).read_bytes()
    assert session.suggest(marked, 1).read_bytes() == first
    assert len(made) == 1
    os.utime(footage.files[0], (1, 1))
    assert session.suggest(job, 1).read_bytes() == first
    assert len(made) == 2
    assert session.suggest(job, 2).read_bytes() != first
    session.suggest(job, 1)
    assert len(made) == 4


def test_torchvision_is_not_needed() -> None:
    code = "import sys; sys.modules['torchvision'] = None; import addon.engine.session, addon.engine.automatic.masks"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=True, timeout=120)
