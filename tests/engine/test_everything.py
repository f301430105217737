"""Everything, tracked: ids that stay, masks that overlap, an end to the long tail; stopped, it goes on the same."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from addon.automatic import Everything
from addon.engine.automatic import everything, tracks
from addon.engine.automatic.everything import root
from addon.engine.automatic.masks import AutomaticMask
from addon.engine.session import Session
from addon.errors import Cancelled, JobError
from addon.job import Footage, Job, Model
from addon.rle import Rle
from addon.suggested import read_suggestions, smallest_at

FRAMES = 5


def square(size: tuple[int, int], x: int, y: int, side: int) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[y : y + side, x : x + side] = True
    return mask


def things(size: tuple[int, int], frame: int) -> list[np.ndarray]:
    """A large square with a part of its own, one that comes in on frame 3, and a speck; all stand still."""
    found = [square(size, 100, 80, 200), square(size, 120, 100, 60), square(size, 5, 5, 4)]
    return [*found, square(size, 500, 300, 120)] if frame >= 3 else found


@pytest.fixture
def job(clip, checkpoint: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """SAM 2 tracks as it does, but squares stand for its masks, so that it is known what has to come out."""
    size = (clip.height, clip.width)
    frame = [0]

    def found(*_: object, **__: object) -> list[AutomaticMask]:
        masks = things(size, frame[0] + 1)
        zero = (0.0, 0.0, 0.0, 0.0)
        return [AutomaticMask(Rle.of(each), each.sum(), zero, 1.0, (0.0, 0.0), 1.0, zero) for each in masks]

    track, show = tracks.Tracker.track, tracks.Tracker.show

    def shown(self: tracks.Tracker, index: int, pixels: np.ndarray) -> None:
        frame[0] = index
        show(self, index, pixels)

    def tracked(self: tracks.Tracker, group: tracks.Group, index: int, **how: bool) -> np.ndarray:
        logits = track(self, group, index, **how)
        born = next(iter(group.conditioning.values()))["pred_masks"][:, 0].float().numpy()
        assert born.shape == logits.shape
        gone = index < 2  # what comes in on frame 3 is not there before
        x, y = round(540 * born.shape[2] / clip.width), round(340 * born.shape[1] / clip.height)
        born[gone & (born[:, y, x] > 0)] = -10
        return born

    monkeypatch.setattr(everything, "generate", found)
    monkeypatch.setattr(tracks.Tracker, "track", tracked)
    monkeypatch.setattr(tracks.Tracker, "show", shown)
    return Job(
        clip.take(FRAMES),
        (),
        model=checkpoint,
        output=str(tmp_path / "mattes"),
        export="segments",
        everything=Everything(step=2),
    )


def run(
    job: Job, cancelled: Callable[[], bool] = lambda: False, progress: Callable[..., None] = lambda *_: None
) -> Path:
    return Session(progress, cancelled).export(job)[1]


def index(folder: Path) -> list[dict]:
    return [json.loads(each.read_text()) for each in sorted((folder / "index").glob("*.json"))]


def ids(document: dict) -> set[int]:
    return {each["id"] for each in document["segments"]}


def test_parts_keep_their_ids_and_late_ones_get_theirs(job: Job, clip) -> None:
    folder = run(job)
    documents = index(folder)
    assert [each["frame"] for each in documents] == list(range(1, FRAMES + 1))
    assert [each["key"] for each in documents] == [True, False, True, False, True]
    assert [ids(each) for each in documents] == [{1, 2}] * 2 + [{1, 2, 3}] * 3
    first = {each["id"]: Rle.from_coco(each["segmentation"]) for each in documents[0]["segments"]}
    assert (first[1].mask() & first[2].mask()).sum() == first[2].area, "a part overlaps the whole"
    image = np.asarray(Image.open(folder / "00003.png"))
    assert image.dtype == np.uint16
    assert image.shape == (clip.height, clip.width)
    assert (image[130, 150], image[200, 250], image[340, 540], image[6, 6]) == (2, 1, 3, 0), "small parts lie above"


def test_what_is_on_a_frame_can_be_picked(job: Job) -> None:
    """Outlines as suggestions have them, with the ids; from what is on disk."""
    session = Session(lambda *_: None, lambda: False)
    with pytest.raises(JobError, match=r"Nothing has been found .* Find first"):
        session.found(job, 4)
    tracked = session.track(replace(job, export=""))
    file, folder = session.found(job, 4)
    assert folder == tracked.found
    found = read_suggestions(file)
    assert [each.number for each in found] == [1, 3, 2], "the largest first"
    for place, number in (((150, 130), 2), ((250, 200), 1), ((540, 340), 3)):
        under = smallest_at(found, place)
        assert under is not None
        assert found[under].number == number
    assert [each.area for each in found] == pytest.approx([200**2, 120**2, 60**2], rel=0.05)
    assert {each.number for each in read_suggestions(session.found(job, 1)[0])} == {1, 2}
    with pytest.raises(JobError, match="no frame 99"):
        session.found(job, 99)


def test_a_segment_is_a_subject(job: Job) -> None:
    run(job)
    assert job.everything
    chosen = replace(job, export="masks", everything=replace(job.everything, subjects=(2, 3)))
    seen: list[str] = []
    folder = run(chosen, progress=lambda stage, *_: seen.append(stage))
    assert "track" not in seen, "nothing is found twice"
    mask = np.asarray(Image.open(folder / "00004.png")) > 0
    assert mask[130, 150] and mask[340, 540] and not mask[200, 250]
    with pytest.raises(JobError, match="no 9"):
        run(replace(chosen, everything=replace(chosen.everything, subjects=(9,))))


def test_the_long_tail_is_cut(job: Job) -> None:
    assert job.everything
    few = run(replace(job, everything=replace(job.everything, max_tracks=2)))
    assert [ids(each) for each in index(few)] == [{1, 2}] * FRAMES, "the largest that were there first"


def test_stopped_twice_and_gone_on_with_it_is_the_same(job: Job, tmp_path: Path) -> None:
    expected = index(run(job))
    shutil.rmtree(tmp_path / "mattes")
    finished: list[int] = []

    def count(stage: str, done: int, total: int, frame: int) -> None:
        finished.append(frame) if stage == "track" else None

    for after in (2, 7):  # in the forward pass, in the backward pass
        with pytest.raises(Cancelled):
            run(job, lambda after=after: len(finished) >= after, count)
        assert not list((tmp_path / "mattes").glob("v*"))
    assert index(run(job, progress=count)) == expected
    assert len(finished) == 2 * FRAMES, "no frame is tracked twice"


def test_links_can_not_go_round() -> None:
    tracking = object.__new__(everything.Tracking)
    tracking._state = everything._State()
    for a, b in ((1, 2), (2, 3), (3, 1), (5, 4), (4, 2), (1, 5)):
        tracking._link(a, b)
    assert {root(tracking._state.links, each) for each in range(1, 6)} == {1}


def test_a_disc_is_found_and_followed(tmp_path: Path, checkpoint: Model) -> None:
    """Nothing stands for anything: the masks are SAM 2's."""
    discs, files = [], []
    for i in range(FRAMES):
        plate, disc = Image.new("RGB", (320, 180), (90, 110, 90)), Image.new("1", (320, 180))
        for image, colour in ((plate, (200, 60, 40)), (disc, 1)):
            ImageDraw.Draw(image).ellipse((30 + 6 * i, 30, 130 + 6 * i, 130), fill=colour)
        files.append(str(tmp_path / f"{i:05d}.png"))
        plate.save(files[-1])
        discs.append(np.asarray(disc))
    wish = Everything(step=2, points_per_side=8)
    footage = Footage(tuple(files), 320, 180, FRAMES)
    job = Job(footage, (), model=checkpoint, output=str(tmp_path / "m"), export="segments", everything=wish)
    for document, disc in zip(index(run(job)), discs, strict=True):
        found = {each["id"]: Rle.from_coco(each["segmentation"]).mask() for each in document["segments"]}
        assert (found[1] & disc).sum() / (found[1] | disc).sum() > 0.8, document["frame"]


def test_real_weights_go_through(clip, checkpoint: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing replaced but the limits, at which many poor masks survive."""
    loose = {"pred_iou_thresh": 0.3, "stability_score_thresh": 0.1, "stability_score_offset": 0.02}
    settings = everything.Settings
    monkeypatch.setattr(everything, "Settings", lambda **_: settings(points_per_side=2, mask_threshold=0.12, **loose))
    wish = Everything(step=2, max_masks=4)
    job = Job(clip.take(3), (), model=checkpoint, output=str(tmp_path / "m"), export="segments", everything=wish)
    documents = index(run(job))
    assert len(documents) == 3
    assert ids(documents[0])
    assert max(len(ids(each)) for each in documents) <= 8
