"""Rough masks of what moves become clean ones: matched, checked, filtered, one for every frame."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from addon.contract.automatic import Parts, Things, Transients
from addon.contract.errors import Cancelled, JobError
from addon.contract.job import Job
from addon.contract.job_types import Footage, Model
from addon.engine.__main__ import main
from addon.engine.automatic.evidence import Evidence
from addon.engine.automatic.transients import between, continues, snapped
from addon.engine.footage.footage import Reader
from addon.engine.session import Session

FRAMES = 6
SIZE = (160, 96)
EMPTY = 3  # the frame of which the trainer said nothing


def truth(i: int) -> np.ndarray:
    """A disc that crosses the picture."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    return (x - 30 - 12 * i) ** 2 + (y - 50) ** 2 <= 16**2


@pytest.fixture
def job(tmp_path: Path, small: Model) -> Job:
    """A red disc before a grey wall; masks with holes, a false alarm that hardly differs, and one that is brief."""
    noise = np.random.default_rng(3)
    wall = cv2.GaussianBlur(noise.integers(60, 120, (SIZE[1], SIZE[0], 3)).astype(np.uint8), (0, 0), 2)
    for kind in ("plates", "masks", "diffs"):
        (tmp_path / kind).mkdir()
    for i in range(FRAMES):
        plate = wall.copy()
        plate[truth(i)] = (200, 40, 30)
        mask = truth(i).copy()
        mask[44:50, 28 + 12 * i : 33 + 12 * i] = False
        diff = np.where(truth(i), 90, 3).astype(np.uint8)
        mask[5:17, 100:130] = True
        diff[5:17, 100:130] = 6
        if i == 1:
            mask[75:90, 120:140], diff[75:90, 120:140] = True, 90
        if i == EMPTY:
            mask[:], diff[:] = False, 0
        Image.fromarray(plate).save(tmp_path / "plates" / f"IMG_{i + 1:04d}.png")
        Image.fromarray(mask.astype(np.uint8) * 255).save(tmp_path / "masks" / f"IMG_{i + 1:04d}.png")
        Image.fromarray(diff).save(tmp_path / "diffs" / f"IMG_{i + 1:04d}.png")
    files = tuple(str(file) for file in sorted((tmp_path / "plates").iterdir()))
    return Job(
        Footage(files, *SIZE, FRAMES),
        (),
        model=small,
        output=str(tmp_path / "mattes"),
        target="t3dgs",
        transients=Transients(str(tmp_path / "masks"), str(tmp_path / "diffs"), memory_size=4),
    )


def export(job: Job) -> dict[str, np.ndarray]:
    folder = Session(lambda *_: None, lambda: False).export(job)[1]
    return {file.stem: np.asarray(Image.open(file)) for file in sorted(folder.glob("*.png"))}


def jaccard(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max(1, (a | b).sum()))


def test_every_frame_gets_a_clean_mask_also_when_stopped_on_the_way(job: Job, tmp_path: Path) -> None:
    masks = export(job)
    assert list(masks) == [str(i) for i in range(len(job.footage.files))]
    assert all(set(np.unique(mask)) <= {0, 255} for mask in masks.values())
    moving = [mask == 0 for mask in masks.values()]  # T-3DGS: white is static
    scores = [jaccard(mask, truth(i)) for i, mask in enumerate(moving)]
    assert np.mean(scores) > 0.85, scores
    assert scores[EMPTY] > 0.6, "the empty frame lies between two that are known"
    assert not any(mask[5:17, 100:130].any() for mask in moving), "it hardly differs"
    assert not any(mask[75:90, 120:140].any() for mask in moving), "it is seen on one frame only"
    again = replace(job, output=str(tmp_path / "again"))
    finished: list[int] = []
    with pytest.raises(Cancelled):
        Session(lambda stage, done, total, frame: finished.append(frame), lambda: len(finished) >= 8).export(again)
    assert not list((tmp_path / "again").glob("v*"))
    found = export(again)
    assert all(np.array_equal(found[name], masks[name]) for name in masks), "stopped and gone on with, it is the same"


def evidence(job: Job) -> Evidence:
    assert job.transients
    return Evidence(job.transients, job.footage, Reader(job.footage), job.frames)


def test_either_polarity_is_found_out_or_told(job: Job, tmp_path: Path) -> None:
    expected = [evidence(job).rough(frame).mask for frame in job.frames]
    assert expected[0].any()
    for file in (tmp_path / "masks").iterdir():
        Image.fromarray(~np.asarray(Image.open(file))).save(file)
    assert job.transients
    for polarity in ("auto", "black"):
        found = evidence(replace(job, transients=replace(job.transients, polarity=polarity)))
        assert found.polarity == "black"
        assert all(np.array_equal(found.rough(frame).mask, expected[frame - 1]) for frame in job.frames)


def test_nothing_moves(job: Job, tmp_path: Path) -> None:
    for file in (tmp_path / "masks").iterdir():
        Image.fromarray(np.zeros((SIZE[1], SIZE[0]), np.uint8)).save(file)
    masks = export(job)
    assert len(masks) == FRAMES
    assert all((mask == 255).all() for mask in masks.values())


def one_is_missing(room: Path) -> None:
    (room / "masks" / "IMG_0002.png").unlink()


def other_names(room: Path) -> None:
    for i, file in enumerate(sorted((room / "masks").iterdir())[:-1]):
        file.rename(file.with_name(f"{i:05d}.png"))
    (room / "masks" / f"IMG_{FRAMES:04d}.png").unlink()


def other_shape(room: Path) -> None:
    Image.fromarray(np.zeros((50, 50), np.uint8)).save(room / "diffs" / "IMG_0003.png")


def no_image(room: Path) -> None:
    (room / "diffs" / "IMG_0003.png").write_bytes(b"nothing")


def empty_folder(room: Path) -> None:
    for file in (room / "diffs").iterdir():
        file.unlink()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (one_is_missing, "IMG_0002"),
        (other_names, f"{FRAMES - 1} images, the footage {FRAMES}"),
        (other_shape, "IMG_0003.png: It has 50 x 50"),
        (no_image, "IMG_0003"),
        (empty_folder, "There are no images"),
    ],
)
def test_bad_input(job: Job, tmp_path: Path, spoil: Callable[[Path], None], words: str) -> None:
    spoil(tmp_path)
    with pytest.raises(JobError, match=words):
        export(job)
    assert not (tmp_path / "mattes").exists()


def test_numbered_masks_belong_by_order(job: Job, tmp_path: Path) -> None:
    """As a trainer writes them that knows no names."""
    expected = [evidence(job).rough(frame) for frame in job.frames]
    for kind in ("masks", "diffs"):
        for i, file in enumerate(sorted((tmp_path / kind).iterdir())):
            file.rename(file.with_name(f"{i + 8}.png"))  # 8.png, 9.png, 10.png
    for frame in job.frames:
        found = evidence(job).rough(frame)
        assert np.array_equal(found.mask, expected[frame - 1].mask)
        assert np.array_equal(found.diff, expected[frame - 1].diff)


def test_from_the_command_line(job: Job, tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    folders = ["--masks", str(tmp_path / "masks"), "--diffs", str(tmp_path / "diffs")]
    plates = str(tmp_path / "plates")
    assert main(["transients", plates, *folders, "--lambda-ref", "0.6", "--save-job", str(file)]) == 0
    saved = Job.load(file)
    assert saved.transients == Transients(str(tmp_path / "masks"), str(tmp_path / "diffs"), lambda_ref=0.6)
    assert (saved.target, saved.footage.files) == ("t3dgs", job.footage.files)
    for verb in ("things", "auto"):
        for option in ("--target", "--export"):
            assert main([verb, plates, "--subjects", "1,3", option, "postshot", "--save-job", str(file)]) == 0
            assert (Job.load(file).things, Job.load(file).target) == (Things(subjects=(1, 3)), "postshot")
    for verb in ("parts", "everything"):
        assert main([verb, plates, "--save-job", str(file)]) == 0
        assert (Job.load(file).parts, Job.load(file).target) == (Parts(), "segments")
    with pytest.raises(SystemExit):
        main(["transients", plates])


def test_a_shape_halfway() -> None:
    a, b = truth(0), truth(4)
    assert jaccard(between(a, b, 0.5), truth(2)) > 0.95
    assert jaccard(between(a, b, 0.25), truth(1)) > 0.95


def test_what_comes_in_through_the_border_grows() -> None:
    def square(x0: int, x1: int) -> np.ndarray:
        mask = np.zeros(SIZE[::-1], np.bool_)
        mask[40:60, x0:x1] = True
        return mask

    region = square(0, 30)
    assert continues(region, {1: (square(0, 3), 1)}, 5) == 1, "it came in through the border"
    assert continues(region, {1: (square(4, 7), 1)}, 5) is None, "it can't have grown so much"
    assert continues(region, {1: (square(0, 3), 1), 2: (square(1, 32), 1)}, 5) == 2, "it has come from there as a whole"
    assert continues(square(40, 60), {1: (square(0, 3), 1)}, 5) is None, "it is too far"


def test_a_region_finds_its_edge() -> None:
    picture = np.full((SIZE[1], SIZE[0], 3), (90, 120, 60), np.uint8)
    picture[truth(3)] = (200, 40, 30)
    picture += np.random.default_rng(0).integers(0, 12, picture.shape, np.uint8)
    rough = truth(3).copy()
    rough[40:50, 60:66] = False  # a hole
    rough[58:70, 68:84] = False  # a bite
    rough[28:36, 60:72] = True  # too much
    nothing = np.zeros_like(rough)
    found = snapped(rough, truth(3) & rough, nothing, picture, 5)
    assert jaccard(rough, truth(3)) < 0.9 < 0.95 < jaccard(found, truth(3))
    rough[45:, :] = False  # more than half is missing
    beside = truth(3) | np.roll(truth(3), 12, 1)  # what differs, too much of it
    assert jaccard(snapped(rough, truth(3) & rough, nothing, picture, 5), truth(3)) < 0.7
    assert jaccard(snapped(rough, truth(3) & rough, beside, picture, 5), truth(3)) > 0.95
    far = truth(3) | (np.indices(rough.shape)[1] > 130)  # differs too, but is not connected
    assert not snapped(rough, truth(3) & rough, far, picture, 5)[:, 120:].any()
