"""Static masks: drawn or found, they are in no export, whoever reads it and whatever is swapped."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import cv2
import numpy as np
import pycolmap
import pytest
from numpy.typing import NDArray
from PIL import Image

from addon.contract.errors import JobError
from addon.contract.job import Job
from addon.contract.job_types import Footage, Mask, MatteObject, Point, Prompt, StaticMask
from addon.contract.targets import TARGETS
from addon.engine.arguments import command_line, job_of
from addon.engine.export import export, prepare
from addon.engine.footage.footage import Reader, join, scan
from addon.engine.matting.pipeline import Mattes
from addon.engine.selection.find_static import find_static
from addon.engine.session import Session
from bench._orbit import Orbit, render

SIZE = (160, 120)
COUNT = 24


@pytest.fixture(scope="module")
def orbit(tmp_path_factory: pytest.TempPathFactory) -> Orbit:
    return render(tmp_path_factory.mktemp("orbit"), 2, COUNT, SIZE)


def with_tripod(orbit: Orbit, folder: Path) -> tuple[Footage, NDArray[np.bool_]]:
    """The orbit with the legs of a tripod and a hood at one side in each frame, and where they are."""
    rig = np.zeros(SIZE[::-1], np.uint8)
    cv2.fillPoly(rig, [np.array([[60, 119], [75, 80], [90, 80], [110, 119]])], 1)
    cv2.rectangle(rig, (0, 0), (12, 119), 1, cv2.FILLED)
    texture = np.random.default_rng(3).integers(10, 60, (SIZE[1], SIZE[0], 3), np.uint8)
    files = []
    for file in orbit.files:
        picture = cv2.imread(file)
        assert picture is not None
        files.append(str(folder / Path(file).name))
        cv2.imwrite(files[-1], np.where(rig[..., None] > 0, texture, picture))
    return Footage(tuple(files), *SIZE, COUNT), rig > 0


def test_what_is_fixed_to_the_camera_is_found(orbit: Orbit, tmp_path: Path) -> None:
    footage, rig = with_tripod(orbit, tmp_path)
    (file,) = Session(lambda *_: None, lambda: False).find_static(footage, range(1, COUNT + 1), tmp_path / "m.png")
    found = np.asarray(Image.open(file)) > 0
    assert (found & rig).sum() / rig.sum() > 0.97, "what is left of a tripod is trained"
    assert (found & ~cv2.dilate(rig.astype(np.uint8), np.ones((9, 9))).astype(bool)).mean() < 0.01
    (again,) = Session(lambda *_: None, lambda: False).find_static(footage, range(1, COUNT + 1), tmp_path / "m.png")
    assert again.name == "m_2.png", "what is there is never written over"


def test_sky_and_floor_are_not(orbit: Orbit) -> None:
    """The sky of these pictures is of one colour, so it hardly changes."""
    with pytest.raises(JobError, match="Nothing stands still"):
        find_static(Reader(Footage(orbit.files, *SIZE, COUNT)), range(1, COUNT + 1), SIZE)


def test_a_camera_that_stands_tells_nothing(orbit: Orbit) -> None:
    footage = Footage((orbit.files[0],) * COUNT, *SIZE, COUNT)
    with pytest.raises(JobError, match="hardly moves"):
        find_static(Reader(footage), range(1, COUNT + 1), SIZE)
    with pytest.raises(JobError, match="too few"):
        find_static(Reader(footage), range(1, 4), SIZE)


RIG = np.zeros((24, 32), np.uint8)
RIG[16:, 4:12] = 255
SUBJECT = np.zeros((24, 32), np.uint8)
SUBJECT[8:20, 2:20] = 255


@pytest.fixture
def footage(tmp_path: Path) -> Footage:
    """Two cameras of two frames each."""
    for folder in ("left", "right"):
        (tmp_path / "shot" / folder).mkdir(parents=True)
        for i in range(2):
            Image.new("RGB", (32, 24), (90, 80, 70)).save(tmp_path / "shot" / folder / f"{folder}_{i}.png")
    return join([scan(tmp_path / "shot" / folder) for folder in ("left", "right")])[0]


def exported(job: Job) -> Path:
    writer = prepare(job, Reader(job.footage))
    logits = np.where(SUBJECT > 0, 8, -8).astype(np.float16)
    mattes = Mattes(job, dict.fromkeys(("a", "b"), lambda frame: logits), static=writer.static)
    return export(
        writer,
        lambda frame, name: mattes.finished(frame, name, soft=False),
        frames=list(job.frames),
        key="key",
        frame_key=mattes.key,
        report={},
        on_frame=lambda *_: None,
        cancelled=lambda: False,
    )


def job(footage: Footage, tmp_path: Path, target: str, *masks: StaticMask, invert: bool = False) -> Job:
    prompts = (Prompt(1, (Point(5, 10),)),)
    return Job(
        footage,
        (MatteObject("a", prompts), MatteObject("b", prompts)),
        output=str(tmp_path / "out"),
        target=target,
        invert=invert,
        refine="off",
        static_masks=masks,
    )


def polygon(camera: str = "") -> StaticMask:
    return StaticMask(Mask(polygons=(((4.5, 16.5), (11.5, 16.5), (11.5, 23.5), (4.5, 23.5)),)), camera)


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize(
    "target",
    ["postshot", "compositing", "tiff", "masks", "colmap", "realityscan", "metashape", "brush", "spirula", "t3dgs"],
)
def test_it_is_in_no_target(footage: Footage, tmp_path: Path, target: str, invert: bool) -> None:
    version = exported(job(footage, tmp_path, target, polygon(), invert=invert))
    files = [path for path in version.rglob("*") if path.suffix in (".png", ".tif") and path.name != "camera_mask.png"]
    assert len(files) == 4
    for file in files:
        with Image.open(file) as image:
            values = np.asarray(image.getchannel("A") if image.mode == "RGBA" else image)
        assert not values[RIG > 0].any(), "black, or alpha 0"
        assert values[RIG == 0].any()


@pytest.mark.parametrize("target", ["objects", "labels"])
def test_it_is_no_object(footage: Footage, tmp_path: Path, target: str) -> None:
    for file in exported(job(footage, tmp_path, target, polygon())).rglob("*.png"):
        with Image.open(file) as image:
            values = np.asarray(image)
        assert not values[RIG > 0].any() and values[(SUBJECT > 0) & (RIG == 0)].all()


def test_each_camera_has_its_own(footage: Footage, tmp_path: Path) -> None:
    version = exported(job(footage, tmp_path, "colmap", polygon("left")))
    for name, rig in (("left/left_0.png", RIG), ("right/right_1.png", RIG * 0)):
        with Image.open(version / f"{name}.png") as image:
            np.testing.assert_array_equal(np.asarray(image), SUBJECT & ~rig)
    with Image.open(version / "left" / "camera_mask.png") as image:
        np.testing.assert_array_equal(np.asarray(image), ~RIG)
    assert not (version / "right" / "camera_mask.png").exists()


def test_colmap_finds_no_features_under_its_camera_mask(orbit: Orbit, tmp_path: Path) -> None:
    """With the option that docs/static-masks.md names, on the target's files for a tripod in textured pictures."""
    footage, rig = with_tripod(orbit, tmp_path)
    drawn = tmp_path / "static.png"
    Image.fromarray(rig).save(drawn)
    version = exported(job(footage, tmp_path, "colmap", StaticMask(Mask(file=str(drawn)))))

    def under_it(camera_mask: str) -> tuple[int, int]:
        """How many features lie in the static area, and how many there are, in three pictures."""
        options = pycolmap.ImageReaderOptions(camera_mask_path=camera_mask)
        extraction = pycolmap.FeatureExtractionOptions(use_gpu=False)
        pycolmap.extract_features(
            tmp_path / f"{len(camera_mask)}.db",
            tmp_path,
            [Path(file).name for file in footage.files[:3]],
            reader_options=options,
            extraction_options=extraction,
            device=pycolmap.Device.cpu,
        )
        with pycolmap.Database.open(tmp_path / f"{len(camera_mask)}.db") as database:
            found = [database.read_keypoints(image.image_id)[:, :2] for image in database.read_all_images()]
        across, down = np.concatenate(found).astype(int).T
        return int(rig[down, across].sum()), len(down)

    assert under_it("")[0] > 20
    there, features = under_it(str(version / "camera_mask.png"))
    assert there == 0 and features > 50


def test_a_file_is_read_and_checked(footage: Footage, tmp_path: Path) -> None:
    drawn = tmp_path / "rig.png"
    Image.fromarray(RIG).save(drawn)
    by_file = StaticMask(Mask(file=str(drawn)))
    first = exported(job(footage, tmp_path, "masks", by_file))
    second = exported(job(footage, tmp_path, "masks", polygon()))
    for one, two in zip(sorted(first.rglob("*.png")), sorted(second.rglob("*.png")), strict=True):
        assert one.read_bytes() == two.read_bytes()
    Image.new("L", (8, 8)).save(drawn)
    with pytest.raises(JobError, match=r"rig.png: .*8 x 8 pixels"):
        prepare(job(footage, tmp_path, "masks", by_file), Reader(footage))
    drawn.write_bytes(b"no image")
    with pytest.raises(JobError, match=r"rig.png"):
        prepare(job(footage, tmp_path, "masks", by_file), Reader(footage))


def test_without_it_nothing_changes(footage: Footage, tmp_path: Path) -> None:
    """Also not the keys that say what a version was written from."""
    plain = job(footage, tmp_path, "masks")
    logits = {"a": lambda frame: None}
    writer = prepare(plain, Reader(footage))
    assert Mattes(plain, logits, static=writer.static).key(1) == Mattes(plain, logits).key(1)
    drawn = dataclasses.replace(plain, static_masks=(polygon(),))
    static = prepare(drawn, Reader(footage)).static
    assert Mattes(drawn, logits, static=static).key(1) != Mattes(plain, logits).key(1)


def test_the_overlay_shows_it_smaller(footage: Footage, tmp_path: Path) -> None:
    with_mask = job(footage, tmp_path, "masks", polygon())
    logits = np.where(SUBJECT > 0, 8, -8).astype(np.float16)
    static = prepare(with_mask, Reader(footage)).static
    matte = Mattes(with_mask, {"a": lambda frame: logits}, 16, static=static).finished(1, "a", soft=False)
    assert matte.shape == (12, 16) and not matte[8:, 2:6].any() and matte[4:8, 2:9].all()


def test_the_command_line(footage: Footage, tmp_path: Path) -> None:
    mask = tmp_path / "rig.png"
    arguments = ["track", str(tmp_path / "shot"), "--point", "a:1:9:9"]
    options = command_line().parse_args([*arguments, "--static-mask", str(mask), "--static-mask", f"left:{mask}"])
    assert job_of(options).static_masks == (
        StaticMask(Mask(file=str(mask))),
        StaticMask(Mask(file=str(mask)), "left"),
    )
    with pytest.raises(JobError, match="no folder 'middle'"):
        job(footage, tmp_path, "masks", polygon("middle"))
    for polygons in ((), (((math.nan, 1.0), (2.0, 2.0), (3.0, 1.0)),)):
        with pytest.raises(JobError, match="static_masks"):
            job(footage, tmp_path, "masks", StaticMask(Mask(polygons=polygons)))


def test_targets_that_name_a_camera_mask_write_masks() -> None:
    assert [name for name, target in TARGETS.items() if target.rules.camera_mask] == ["colmap"]
