"""Repair: wrong mattes between right ones get an offer, right ones do not, and where nothing is known nothing is
offered.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from addon.contract.errors import Cancelled, ExitCode, JobError
from addon.contract.job import Job
from addon.contract.job_types import Footage, MatteObject, Model, Point, Prompt
from addon.engine.footage.footage import Reader
from addon.engine.footage.polygons import fill
from addon.engine.review.both_sides import SIDE as SIDE_OF_SOFT
from addon.engine.review.both_sides import Flow, soft
from addon.engine.review.cameras import Camera
from addon.engine.review.repair import _mended, with_repairs
from addon.engine.review.story import story
from addon.engine.review.visual_hull import silhouettes
from addon.engine.sam2 import model
from addon.engine.session import Session
from addon.engine.store.matte_store import Matte, Store, Take
from addon.engine.tracking.propagate import takes
from addon.results.outlines import read_repairs
from bench.hull import shaken
from tests.engine import test_hull
from tests.engine.conftest import Clip, toy
from tests.engine.test_command_line import engine
from tests.engine.test_hull import transforms, written, wrong

COUNT = 12
SIDE = 128
cameras, footage = test_hull.cameras, test_hull.footage  # fixtures
Mask = np.ndarray
Change = Callable[[Mask], Mask]


def half(mask: Mask) -> Mask:
    changed = mask.copy()
    changed[:, : int(np.nonzero(mask)[1].mean())] = False
    return changed


def leak(mask: Mask) -> Mask:
    return mask | np.roll(mask, 25, 0)


def elsewhere(mask: Mask) -> Mask:
    return np.roll(mask, (40, -40), (0, 1))


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """The toy's first frames; what they hold in common is encoded only once."""
    return toy(tmp_path_factory.mktemp("repair"))


@pytest.fixture(scope="module")
def truths(few: Clip) -> list[Mask]:
    return [
        cv2.resize(np.asarray(Image.open(file).convert("L")), (SIDE, SIDE), interpolation=cv2.INTER_AREA) >= 128
        for file in few.truth[:COUNT]
    ]


@pytest.fixture(scope="module")
def session() -> Session:
    return Session(lambda *_: None, lambda: False)


@pytest.fixture
def job(few: Clip, checkpoint: Model) -> Job:
    subject = MatteObject("toy", (Prompt(1, (Point(*few.subject),)),))
    return Job(few.take(COUNT), (subject,), checkpoint, output=str(few.room / "mattes"), target="")


def put(job: Job, truths: list[Mask], changes: dict[int, Change]) -> Take:
    """Mattes into the store, as if they had been tracked, wrong ones among them."""
    facts = model.find(job.model).facts
    take = takes(job, Store(job), Reader(job.footage).fingerprint(), facts)[job.objects[0].name][0]
    for frame, mask in enumerate(truths, 1):
        changed = changes.get(frame, np.copy)(mask)
        take.put_matte(frame, Matte(np.where(changed, 6, -6).astype(np.float16), 0.95, 8.0))
    for kept in ("measures.npz", "hull.json"):
        (take.folder / kept).unlink(missing_ok=True)
    return take


def drawn(job: Job, prompt: Prompt) -> Mask:
    assert prompt.mask is not None
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    fill(canvas, prompt.mask.polygons, SIDE / job.footage.width, SIDE / job.footage.height, holes=prompt.mask.holes)
    return canvas > 0


def iou(one: Mask, other: Mask) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_wrong_mattes_are_offered_anew(job: Job, truths: list[Mask], session: Session) -> None:
    changes: dict[int, Change] = {4: half, 5: half, 8: np.zeros_like, 10: leak}
    take = put(job, truths, changes)
    before = {path: path.read_bytes() for path in (take.folder / "matte").iterdir()}
    repairs = session.repair(job)
    assert [offer.frame for offer in repairs["toy"].offers] == sorted(changes)
    repaired = with_repairs(job, repairs)
    assert [prompt.frame for prompt in repaired.objects[0].prompts] == [1, *sorted(changes)]
    assert repaired.objects[0].prompts[0] == job.objects[0].prompts[0]
    for prompt in repaired.objects[0].prompts[1:]:
        assert iou(drawn(job, prompt), truths[prompt.frame - 1]) > 0.94, prompt.frame
    assert Job.from_json(repaired.to_json()) == repaired
    assert {path: path.read_bytes() for path in (take.folder / "matte").iterdir()} == before, "nothing is changed"

    read = read_repairs(session.put_repairs(job, repairs))["toy"]
    assert [frame for frame, _ in read.offers] == sorted(changes)
    for (frame, paths), prompt in zip(read.offers, repaired.objects[0].prompts[1:], strict=True):
        assert frame == prompt.frame
        canvas = np.zeros((SIDE, SIDE), np.uint8)
        fill(canvas, paths, SIDE / job.footage.width, SIDE / job.footage.height, holes=True)
        assert iou(canvas > 0, drawn(job, prompt)) > 0.99


def test_right_mattes_are_left_alone(job: Job, truths: list[Mask], session: Session) -> None:
    """The model is unsure everywhere, so all frames are suspects; none is replaced."""
    take = put(job, truths, {})
    for frame in range(5, 9):
        take.put_matte(frame, dataclasses.replace(take.tracked(frame), iou=0.2))
    repairs = session.repair(job)["toy"]
    assert not repairs.offers
    assert [(refusal.first, refusal.last) for refusal in repairs.refusals] == [(5, 8)]
    assert "fits" in repairs.refusals[0].reason and "frames 5 to 8" in repairs.refusals[0].in_words()


def test_an_error_that_grows_slowly_is_in_no_story(job: Job, truths: list[Mask]) -> None:
    """From frame to frame, the leak is no larger than the usual error of the flow."""
    mattes = {
        frame: soft(Matte(np.where(mask, 6, -6).astype(np.float16), 0.9, 8.0)) for frame, mask in enumerate(truths, 1)
    }
    for frame, far in ((4, 3), (5, 6), (6, 9), (7, 12), (8, 12), (9, 12)):
        spread = cv2.dilate(mattes[frame], np.ones((1, 8 * far + 1), np.uint8))
        mattes[frame] = np.where(np.arange(SIDE_OF_SOFT) > 250, spread, mattes[frame])
    frames = sorted(mattes)
    found = story(Flow(Reader(job.footage)), mattes.__getitem__, frames, dict.fromkeys(frames, 0.5))
    assert not {6, 7, 8, 9} & set(found), found
    assert {1, 2, 3, 10, 11, 12} <= set(found), found


def test_sides_that_disagree(job: Job, truths: list[Mask], session: Session) -> None:
    """The subject is marked as one thing at first and as another later; in between, it is unknown which is right."""
    (subject,) = job.objects
    prompts = (*subject.prompts, Prompt(9, (Point(20, 20),)))
    job = dataclasses.replace(job, objects=(dataclasses.replace(subject, prompts=prompts),))
    put(job, truths, {5: np.zeros_like, 6: np.zeros_like} | dict.fromkeys(range(7, COUNT + 1), elsewhere))
    repairs = session.repair(job)["toy"]
    refused = {frame: refusal.reason for refusal in repairs.refusals for frame in (refusal.first, refusal.last)}
    assert not {5, 6} & {offer.frame for offer in repairs.offers}
    assert "do not agree" in refused[5] and "do not agree" in refused[6]


def test_the_command_writes_a_job(job: Job, truths: list[Mask], tmp_path: Path) -> None:
    put(job, truths, {6: np.zeros_like})
    file = tmp_path / "shot.json"
    file.write_text(job.to_json(), encoding="utf-8")
    done = engine("repair", file)
    assert done.returncode == ExitCode.OK, done.stderr
    assert "toy, frame 6: repaired: frame 5 and frame 7 agree" in done.stdout
    output = Path(done.stdout.splitlines()[-1])
    assert output == tmp_path / "shot_repaired.json"
    prompts = Job.load(output).objects[0].prompts
    assert [prompt.frame for prompt in prompts] == [1, 6] and prompts[1].mask is not None
    assert Job.load(file) == job
    failed = engine("repair", file, "--output", file)
    assert failed.returncode == ExitCode.JOB and "replace the Job" in failed.stderr


def test_errors(job: Job, truths: list[Mask]) -> None:
    put(job, truths, {6: np.zeros_like})
    with pytest.raises(Cancelled):
        Session(lambda *_: None, lambda: True).repair(job)
    shorter = dataclasses.replace(job, frame_range=(1, 5))
    assert not with_repairs(shorter, Session(lambda *_: None, lambda: False).repair(shorter)).objects[0].prompts[1:]
    panorama = dataclasses.replace(job, footage=dataclasses.replace(job.footage, panorama=True))
    with pytest.raises(JobError, match="Panoramas"):
        Session(lambda *_: None, lambda: False).repair(panorama)


def test_an_offer_keeps_the_edge_that_the_matte_has() -> None:
    """Only what differs by more than an edge does is replaced, however thin it is."""
    table = np.zeros((SIDE_OF_SOFT, SIDE_OF_SOFT), bool)
    table[100:200, 100:400] = True
    own = table.copy()
    table[200:400, 120:123] = table[200:400, 377:380] = True  # legs of three pixels, one of which is missing
    own[200:400, 377:380] = True
    own[98:100, 100:400] = True  # the top's own edge is two pixels higher
    own[120:160, 400:440] = True  # a leak
    kept = _mended(own, table)
    assert iou(kept[202:400], table[202:400]) == 1
    assert not kept[:, 404:].any()
    assert kept[98:100, 150:350].all()
    other = np.roll(table, 300, 0)
    assert (_mended(other, table) == table).all()


@pytest.mark.parametrize("how", ["half", "leak"])
def test_the_other_cameras_see_the_subject(cameras: dict[int, Camera], how: str) -> None:
    masks = test_hull.silhouettes(cameras)
    truth = masks[5]
    masks[5] = wrong(truth, how)
    trusted = [frame for frame in cameras if frame != 5]
    seen = silhouettes(cameras, masks.__getitem__, [5, 9], trusted)
    for frame, mask in ((5, truth), (9, masks[9])):
        small = cv2.resize(mask.astype(np.float32), (512, 512), interpolation=cv2.INTER_AREA) >= 0.5
        assert iou(seen[frame] >= 0.5, small) > 0.94, frame


def test_the_other_cameras_see_thin_parts(cameras: dict[int, Camera]) -> None:
    """A pole of three pixels on a foot; the edges of all mattes are off by a pixel, here and there."""
    corners = np.stack(np.meshgrid(*[(-0.5, 0.5)] * 3), axis=-1).reshape(-1, 3)
    boxes = corners * (0.036, 0.036, 1.2) + (0.1, 0, 0.2), corners * (0.7, 0.7, 0.2) - (0, 0, 0.5)
    random = np.random.default_rng(3)
    truths, masks = {}, {}
    for frame, camera in cameras.items():
        mask = np.zeros((288, 384), np.uint8)
        for box in boxes:
            cv2.fillConvexPoly(mask, cv2.convexHull((camera.project(box)[0] * (384, 288)).astype(np.int32)), 1)
        truths[frame], masks[frame] = mask > 0, shaken(mask > 0, random, 1.0)
    seen = silhouettes(cameras, masks.__getitem__, [5, 14], [frame for frame in cameras if frame not in (5, 14)])
    for frame in (5, 14):
        large = cv2.resize(truths[frame].astype(np.float32), (512, 512), interpolation=cv2.INTER_LINEAR) >= 0.5
        assert iou(seen[frame] >= 0.5, large) > 0.9, frame
        pole = slice(0, 230)
        assert iou((seen[frame] >= 0.5)[pole], large[pole]) > 0.7, frame


def test_turntable_is_repaired_by_its_cameras(
    footage: Footage,
    cameras: dict[int, Camera],
    checkpoint: Model,
    tmp_path: Path,
    session: Session,
) -> None:
    """Pictures without any texture: neither SAM 2 nor the flow knows anything there."""
    subject = MatteObject("boxes", (Prompt(1, (Point(48, 36),)),))
    job = Job(footage, (subject,), checkpoint, output=str(tmp_path / "mattes"), target="")
    masks = test_hull.silhouettes(cameras)
    square = [
        cv2.resize(mask.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA) >= 0.5
        for mask in masks.values()
    ]
    put(job, square, {9: half, 10: half})
    repairs = session.repair(job, written(tmp_path / "transforms.json", transforms(footage)))
    repaired = with_repairs(job, repairs)
    prompts = {prompt.frame: prompt for prompt in repaired.objects[0].prompts}
    assert {9, 10} <= set(prompts), repairs
    for frame in set(prompts) - {1}:
        assert iou(drawn(job, prompts[frame]), square[frame - 1]) > 0.9, frame
