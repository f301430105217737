"""Our masks are upstream's: an unmodified SAM2VideoPredictor with the same weights, on the same frames.

Upstream loads everything up front and works at the plate's size; we read lazily, work at the logits' size, forget what
is not needed and go through the matte store. None of it may show.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Clip, toy
from sam2.sam2_video_predictor import SAM2VideoPredictor

from addon.contract.job import Job
from addon.contract.job_types import Box, Mask, MatteObject, Model, Point, Prompt
from addon.engine.matting.upsample import union
from addon.engine.sam2 import model
from addon.engine.session import Session

FRAMES = 24  # more than a frame looks back to: 6 memories and 15 pointers before it


class Upstream:
    """An unmodified predictor and its state: footage is loaded and encoded once, for all cases."""

    def __init__(self, choice: Model, folder: Path) -> None:
        self.choice = choice
        source = model.find(choice)
        built = model.build(source.config).eval()  # of upstream's modules: `load` replaces some
        model._load_weights(built, source.weights)
        built.to(source.device)
        # under upstream's own class, without the changes of our subclass
        self.predictor = SAM2VideoPredictor.__new__(SAM2VideoPredictor)
        self.predictor.__dict__.update(built.__dict__)
        with torch.inference_mode():
            self.state = self.predictor.init_state(str(folder))
            # What its own cache holds of one frame, of all; positions are the same for each, and large.
            self._features = {}
            for index, image in enumerate(self.state["images"]):
                batch = image.to(source.device).float().unsqueeze(0)
                encoded = self.predictor.forward_image(batch)
                first = next(iter(self._features.values()), (None, encoded))[1]
                self._features[index] = (
                    batch,
                    encoded | {"vision_pos_enc": first["vision_pos_enc"]},
                )

    def fresh_state(self) -> dict:
        """Return its state without objects."""
        self.predictor.reset_state(self.state)
        self.state["cached_features"] = dict(self._features)
        return self.state


def masks_of(upstream: Upstream, job: Job) -> dict[int, dict[str, np.ndarray]]:
    """Masks of upstream: {index: {object: bool (H, W)}}. Corrections are made as its demo makes them."""
    predictor = upstream.predictor
    half = 0.5 / predictor.image_size  # upstream takes pixel numbers of its square input, we take positions

    def prompt(state: dict, matte_object: MatteObject, marked: Prompt) -> None:
        size = torch.tensor((job.footage.width, job.footage.height))
        if marked.mask:
            from PIL import Image

            predictor.add_new_mask(
                state, marked.frame - 1, matte_object.name, np.asarray(Image.open(marked.mask.file)) >= 128
            )
        if marked.points or marked.box:
            points = torch.tensor([(p.x, p.y) for p in marked.points]).reshape(-1, 2) / size - half
            box = marked.box
            predictor.add_new_points_or_box(
                state,
                marked.frame - 1,
                matte_object.name,
                points=points,
                labels=torch.tensor([int(p.include) for p in marked.points]),
                box=torch.tensor(((box.x0, box.y0), (box.x1, box.y1))) / size - half if box else None,
                normalize_coords=False,
            )

    masks: dict[int, dict[str, np.ndarray]] = {}
    with torch.inference_mode():
        state = upstream.fresh_state()
        for matte_object in job.objects:
            prompt(state, matte_object, matte_object.prompts[0])
        later = sorted({p.frame for matte_object in job.objects for p in matte_object.prompts[1:]})
        for frame in later:
            for _ in predictor.propagate_in_video(state, max_frame_num_to_track=frame - matte_object.prompts[0].frame):
                pass
            for matte_object in job.objects:
                for marked in matte_object.prompts[1:]:
                    if marked.frame == frame:
                        prompt(state, matte_object, marked)
        for reverse in (False, True):
            for index, names, logits in predictor.propagate_in_video(state, reverse=reverse):
                masks[index] = {name: (logits[i, 0] > 0).cpu().numpy() for i, name in enumerate(names)}
    return masks


def mean_iou(job: Job, expected: dict[int, dict[str, np.ndarray]], store: dict) -> dict[str, float]:
    found: dict[str, list[float]] = {matte_object.name: [] for matte_object in job.objects}
    for frame in job.frames:
        for name, values in found.items():
            ours = union([store[name].matte(frame).logits], job.footage.width, job.footage.height) > 0
            theirs = expected[frame - 1][name]
            either = (ours | theirs).sum()
            values.append(1.0 if either == 0 else (ours & theirs).sum() / either)
    return {name: float(np.mean(values)) for name, values in found.items()}


def prompts_of(case: str, subject: tuple[float, float], other: tuple[float, float], mask: Path) -> list[MatteObject]:
    on = Point(*subject)
    if case == "one object":
        return [MatteObject("subject", (Prompt(1, (on,)),))]
    if case == "three objects from the middle":
        x, y = other
        return [
            MatteObject("points", (Prompt(12, (on, Point(*other, include=False))),)),
            MatteObject("box", (Prompt(12, box=Box(x - 80, y - 60, x + 80, y + 60)),)),
            MatteObject("mask", (Prompt(12, mask=Mask(file=str(mask))),)),
        ]
    assert case == "a correction on a tracked frame"
    return [MatteObject("subject", (Prompt(1, (on,)), Prompt(9, (Point(*other, include=False),))))]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """One for all cases."""
    return toy(tmp_path_factory.mktemp("parity"))


@pytest.fixture(scope="module")
def upstream(request: pytest.FixtureRequest, clip: Clip) -> Upstream:
    return Upstream(request.getfixturevalue(request.param), Path(clip.take(FRAMES).files[0]).parent)


@pytest.mark.parametrize(
    ("case", "upstream"),
    [
        ("a correction on a tracked frame", "checkpoint"),
        ("one object", "small"),
        ("three objects from the middle", "small"),
    ],
    indirect=["upstream"],
)
def test_masks_equal_upstream(case: str, clip: Clip, upstream: Upstream, tmp_path: Path) -> None:
    footage = clip.take(FRAMES)
    mask = clip.truth[11]
    job = Job(
        footage,
        tuple(prompts_of(case, clip.subject, clip.elsewhere, mask)),
        model=upstream.choice,
        memory="sam2",
        output=str(tmp_path / "mattes"),
        target="",
    )
    expected = masks_of(upstream, job)
    takes = Session(lambda *_: None, lambda: False).track(job).takes
    areas = [m.mean() for masks in expected.values() for m in masks.values()]
    assert 0.001 < np.mean(areas) < 0.9, "degenerate masks would prove nothing"
    for name, iou in mean_iou(job, expected, takes).items():
        assert iou >= 0.999, f"{name}: mean IoU with upstream {iou:.5f}"
