"""Parts, tracked: ids that stay, masks that overlap, an end to the long tail; stopped, it goes on the same."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from addon.contract.automatic import Parts
from addon.contract.errors import Cancelled, JobError
from addon.contract.job import Job
from addon.contract.job_types import Footage, Model
from addon.contract.rle import Rle
from addon.engine.automatic import parts
from addon.engine.automatic.part_masks import PartMasks, write_masks
from addon.engine.automatic.parts import root
from addon.engine.session import Session
from addon.results.outlines import read_suggestions, smallest_at

FRAMES = 5
SIZE = WIDTH, HEIGHT = 320, 180
LARGE, LATE = (30, 20, 150, 140), (220, 90, 300, 170)  # boxes of discs; the second comes in on frame 3
COMES = 3
MIDDLE_OF_LATE = (260, 130)
SEARCH = Parts(step=2, points_per_side=6)  # with the default limits


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Footage:
    """Two discs that stand still."""
    folder = tmp_path_factory.mktemp("discs")
    files = []
    for frame in range(1, FRAMES + 1):
        plate = Image.new("RGB", SIZE, (90, 110, 90))
        ImageDraw.Draw(plate).ellipse(LARGE, fill=(200, 60, 40))
        if frame >= COMES:
            ImageDraw.Draw(plate).ellipse(LATE, fill=(240, 220, 60))
        files.append(str(folder / f"{frame:05d}.png"))
        plate.save(files[-1])
    return Footage(tuple(files), *SIZE, FRAMES)


@pytest.fixture(scope="module")
def found(footage: Footage, checkpoint: Model, tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, Path]:
    """A finished Job and its version."""
    output = str(tmp_path_factory.mktemp("mattes"))
    job = Job(footage, (), model=checkpoint, output=output, target="segments", parts=SEARCH)
    return job, run(job)


def run(
    job: Job, cancelled: Callable[[], bool] = lambda: False, progress: Callable[..., None] = lambda *_: None
) -> Path:
    return Session(progress, cancelled).export(job)[1]


def index(folder: Path) -> list[dict]:
    return [json.loads(file.read_text()) for file in sorted((folder / "index").glob("*.json"))]


def ids(document: dict) -> set[int]:
    return {segment["id"] for segment in document["segments"]}


def disc(box: tuple[int, int, int, int]) -> np.ndarray:
    mask = Image.new("1", SIZE)
    ImageDraw.Draw(mask).ellipse(box, fill=1)
    return np.asarray(mask)


def fitting(document: dict, truth: np.ndarray) -> set[int]:
    """Return the ids of masks with an IoU above 0.6."""
    masks = {segment["id"]: Rle.from_coco(segment["segmentation"]).mask() for segment in document["segments"]}
    return {id_ for id_, mask in masks.items() if (mask & truth).sum() / (mask | truth).sum() > 0.6}


def late_id(documents: list[dict]) -> int:
    """Return the id of the late disc, from its first frame to the end."""
    return min(set.intersection(*(fitting(document, disc(LATE)) for document in documents[COMES - 1 :])))


def test_what_stays_keeps_its_id_and_what_comes_late_gets_one(found: tuple[Job, Path]) -> None:
    documents = index(found[1])
    assert [document["frame"] for document in documents] == list(range(1, FRAMES + 1))
    assert [document["key"] for document in documents] == [True, False, True, False, True]
    assert 1 in set.intersection(*(fitting(document, disc(LARGE)) for document in documents))
    late = late_id(documents)
    assert not any(late in ids(document) for document in documents[: COMES - 1])
    image = np.asarray(Image.open(found[1] / "00004.png"))
    assert image.dtype == np.uint16
    assert image.shape == (HEIGHT, WIDTH)
    assert image[MIDDLE_OF_LATE[::-1]] in fitting(documents[3], disc(LATE))
    assert image[175, 5] == 0


def test_small_parts_lie_above_in_the_id_image(tmp_path: Path) -> None:
    whole, part = np.zeros((90, 160), bool), np.zeros((90, 160), bool)
    whole[10:70, 20:100] = part[20:40, 30:60] = True
    write_masks(tmp_path / "index" / "000001.json", {4: Rle.of(whole), 9: Rle.of(part)}, frame=1)
    image = PartMasks(tmp_path).id_image(1, 320, 180)
    assert (image[60, 80], image[100, 160], image[5, 5]) == (9, 4, 0)


def test_what_is_on_a_frame_can_be_picked(found: tuple[Job, Path], tmp_path: Path) -> None:
    """Outlines as suggestions have them, with the ids; from what is on disk."""
    job, folder = found
    session = Session(lambda *_: None, lambda: False)
    with pytest.raises(JobError, match=r"Nothing has been found .* Find first"):
        session.found(replace(job, output=str(tmp_path)), 4)
    file, kept = session.found(job, 4)
    assert kept == session.track(replace(job, target="")).found
    outlines = read_suggestions(file)
    assert {outline.number for outline in outlines} == ids(index(folder)[3])
    areas = [outline.area for outline in outlines]
    assert areas == sorted(areas, reverse=True), "the largest first"
    under = smallest_at(outlines, MIDDLE_OF_LATE)
    assert under is not None
    assert outlines[under].number in fitting(index(folder)[3], disc(LATE))
    with pytest.raises(JobError, match="no frame 99"):
        session.found(job, 99)


def test_a_segment_is_a_subject(found: tuple[Job, Path]) -> None:
    job, folder = found
    late = late_id(index(folder))
    chosen = replace(job, target="masks", parts=replace(SEARCH, subjects=(late,)))
    seen: list[str] = []
    folder = run(chosen, progress=lambda stage, *_: seen.append(stage))
    assert "track" not in seen, "nothing is found twice"
    mask = np.asarray(Image.open(folder / "00004.png")) > 0
    assert (mask & disc(LATE)).sum() / (mask | disc(LATE)).sum() > 0.6
    with pytest.raises(JobError, match="no 99"):
        run(replace(chosen, parts=replace(SEARCH, subjects=(99,))))


def test_the_long_tail_is_cut(found: tuple[Job, Path], tmp_path: Path) -> None:
    few = index(run(replace(found[0], output=str(tmp_path), parts=replace(SEARCH, max_tracks=1))))
    assert set.union(*(ids(document) for document in few)) == {1}, "the largest that was there first"
    assert all(1 in fitting(document, disc(LARGE)) for document in few[: COMES - 1])


def test_stopped_twice_and_gone_on_with_it_is_the_same(found: tuple[Job, Path], tmp_path: Path) -> None:
    job = replace(found[0], output=str(tmp_path))
    finished: list[int] = []

    def count(stage: str, done: int, total: int, frame: int) -> None:
        finished.append(frame) if stage == "track" else None

    for after in (2, 7):  # in the forward pass, in the backward pass
        with pytest.raises(Cancelled):
            run(job, lambda after=after: len(finished) >= after, count)
        assert not list(tmp_path.glob("v*"))
    assert index(run(job, progress=count)) == index(found[1])
    assert len(finished) == 2 * FRAMES, "no frame is tracked twice"


def test_links_can_not_go_round() -> None:
    tracking = object.__new__(parts.PartSearch)
    tracking._state = parts._State()
    for a, b in ((1, 2), (2, 3), (3, 1), (5, 4), (4, 2), (1, 5)):
        tracking._link(a, b)
    assert {root(tracking._state.links, label) for label in range(1, 6)} == {1}


def test_a_disc_is_followed_where_it_goes(checkpoint: Model, tmp_path: Path) -> None:
    """The disc is followed with the default limits."""
    discs, files = [], []
    for i in range(FRAMES):
        plate, disc = Image.new("RGB", (320, 180), (90, 110, 90)), Image.new("1", (320, 180))
        for image, colour in ((plate, (200, 60, 40)), (disc, 1)):
            ImageDraw.Draw(image).ellipse((30 + 6 * i, 30, 130 + 6 * i, 130), fill=colour)
        files.append(str(tmp_path / f"{i:05d}.png"))
        plate.save(files[-1])
        discs.append(np.asarray(disc))
    search = Parts(step=2, points_per_side=8)
    footage = Footage(tuple(files), 320, 180, FRAMES)
    job = Job(footage, (), model=checkpoint, output=str(tmp_path / "m"), target="segments", parts=search)
    for document, disc in zip(index(run(job)), discs, strict=True):
        found = {segment["id"]: Rle.from_coco(segment["segmentation"]).mask() for segment in document["segments"]}
        assert (found[1] & disc).sum() / (found[1] | disc).sum() > 0.8, document["frame"]


def test_many_poor_masks_are_limited(found: tuple[Job, Path], tmp_path: Path) -> None:
    loose = replace(SEARCH, points_per_side=3, pred_iou_thresh=0.1, stability_score_thresh=0.1, max_masks=4)
    job = replace(found[0], output=str(tmp_path), frame_range=(1, 2), parts=loose)
    documents = index(run(job))
    assert len(documents) == 2
    assert len(ids(documents[0])) > 1
    assert max(len(ids(document)) for document in documents) <= 8
