"""A splat is cleaned by the mattes of a version: known Gaussians inside, around and in front of a sphere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from plyfile import PlyData, PlyElement

from addon.contract.errors import ExitCode
from addon.contract.job import Job
from addon.contract.job_types import Footage, Mask, MatteObject, Prompt
from addon.engine.review.cameras import read_poses
from addon.engine.session import Session
from tests.engine.test_command_line import engine
from tests.engine.test_hull import COUNT, HEIGHT, WIDTH, footage, transforms, written

__all__ = ["footage"]  # the fixture

PROPERTIES = ("x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity", "scale_0", "rot_0")


def on_spheres(random: np.random.Generator, count: int, least: float, most: float) -> np.ndarray:
    """Places (count, 3) at distances from `least` to `most` from the origin."""
    direction = random.normal(size=(count, 3))
    return direction / np.linalg.norm(direction, axis=1, keepdims=True) * random.uniform(least, most, (count, 1))


@pytest.fixture(scope="module")
def version(footage: Footage, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Exported versions by target, and the poses. The subject is a sphere around the origin, drawn on each frame."""
    room = tmp_path_factory.mktemp("clean")
    poses = written(room / "transforms.json", transforms(footage))
    surface = on_spheres(np.random.default_rng(1), 4000, 1.0, 1.0)
    prompts = []
    for frame, camera in read_poses(poses, footage).items():
        places = (camera.project(surface)[0] * (WIDTH, HEIGHT)).astype(np.float32)
        outline = cv2.convexHull(places)[:, 0].tolist()
        prompts.append(Prompt(frame, mask=Mask(polygons=(tuple((x, y) for x, y in outline),))))
    job = Job(footage, (MatteObject("ball", tuple(prompts)),), output=str(room / "out"))
    found = {"poses": poses}
    for target in ("postshot", "masks"):
        found[target] = Session(lambda *_: None, lambda: False).export(Job(**fields(job) | {"target": target}))[1]
    return found


def fields(job: Job) -> dict[str, object]:
    return {name: getattr(job, name) for name in ("footage", "objects", "output")}


SUBJECT, ABOVE, AROUND = range(3)
EACH = 2000


@pytest.fixture
def splat(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """The file, and what each of its Gaussians is: all cameras see those above the subject as beside it."""
    random = np.random.default_rng(2)
    angle = random.uniform(0, 2 * np.pi, 2 * EACH)
    distance = np.concatenate([random.uniform(0, 0.4, EACH), random.uniform(1.6, 2.6, EACH)])
    height = np.concatenate([random.uniform(1.3, 1.45, EACH), random.uniform(-0.8, 0.8, EACH)])
    others = np.stack([distance * np.cos(angle), distance * np.sin(angle), height], axis=1)
    order = random.permutation(3 * EACH)
    places = np.concatenate([on_spheres(random, EACH, 0.0, 0.97), others])[order]
    rows = np.empty(3 * EACH, [(name, "<f4") for name in PROPERTIES] + [("filter_3D", "<f8"), ("label", "u1")])
    for name in rows.dtype.names or ():
        rows[name] = random.integers(0, 200, 3 * EACH)
    for axis, name in enumerate("xyz"):
        rows[name] = places[:, axis]
    path = tmp_path / "point_cloud.ply"
    PlyData([PlyElement.describe(rows, "vertex")], byte_order="<", comments=["by a trainer"]).write(path)
    return path, order // EACH


def share(removed: np.ndarray, of: np.ndarray) -> float:
    return float((removed & of).sum() / of.sum())


def clean(path: Path, version: dict[str, Path], target: str, *more: object):
    return engine("clean", path, "--poses", version["poses"], "--mattes", version[target], *more)


@pytest.mark.parametrize("target", ["postshot", "masks"])
def test_what_no_camera_sees_on_the_subject_goes(
    version: dict[str, Path], splat: tuple[Path, np.ndarray], target: str
) -> None:
    path, kind = splat
    before = path.read_bytes()
    done = clean(path, version, target)
    assert done.returncode == ExitCode.OK, done.stderr
    made = Path(done.stdout.splitlines()[-1])
    assert made == path.with_name("point_cloud_clean.ply")
    assert path.read_bytes() == before
    rows, kept = PlyData.read(path, mmap=False)["vertex"].data, PlyData.read(made)["vertex"].data
    assert kept.dtype == rows.dtype
    stays = np.isin(rows, kept)
    assert (kept.tobytes()) == rows[stays].tobytes(), "every property, to the byte, in the same order"
    assert share(~stays, kind == ABOVE) >= 0.98, "recall"
    assert share(kind == ABOVE, ~stays) >= 0.98, "precision"
    assert f"{(kind == AROUND).sum()} floaters are kept" in done.stdout, "cameras on the other side see them before it"


def test_floaters_go_on_request(version: dict[str, Path], splat: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    path, kind = splat
    done = clean(path, version, "masks", "--remove-floaters", "--output", tmp_path / "clean.ply")
    assert done.returncode == ExitCode.OK, done.stderr
    rows, kept = PlyData.read(path, mmap=False)["vertex"].data, PlyData.read(tmp_path / "clean.ply")["vertex"].data
    removed = ~np.isin(rows, kept)
    assert share(removed, kind != SUBJECT) >= 0.98, "recall"
    assert share(kind != SUBJECT, removed) >= 0.98, "precision"


def test_counting_writes_nothing_and_names_are_never_taken_twice(
    version: dict[str, Path], splat: tuple[Path, np.ndarray]
) -> None:
    path, kind = splat
    there = sorted(path.parent.iterdir())
    done = clean(path, version, "masks", "--count")
    assert done.returncode == ExitCode.OK, done.stderr
    assert f"{(kind == AROUND).sum()} floaters would be kept" in done.stdout
    assert sorted(path.parent.iterdir()) == there
    path.with_name("point_cloud_clean.ply").write_bytes(b"somebody's")
    done = clean(path, version, "masks")
    assert done.stdout.splitlines()[-1] == str(path.with_name("point_cloud_clean_2.ply"))
    assert path.with_name("point_cloud_clean.ply").read_bytes() == b"somebody's"


def test_a_file_that_is_there_stays(version: dict[str, Path], splat: tuple[Path, np.ndarray]) -> None:
    path, _ = splat
    done = clean(path, version, "masks", "--output", path)
    assert done.returncode == ExitCode.OUTPUT
    assert "Choose another name" in done.stderr


def as_text(path: Path) -> None:
    data = PlyData.read(path, mmap=False)
    PlyData(list(data.elements), text=True).write(path)


def as_mesh(path: Path) -> None:
    faces = np.array([([0, 1, 2],)], [("vertex_indices", "i4", (3,))])
    PlyData([PlyData.read(path, mmap=False)["vertex"], PlyElement.describe(faces, "face")]).write(path)


def packed(path: Path) -> None:
    chunk = PlyElement.describe(np.zeros(1, [("min_x", "f4")]), "chunk")
    PlyData([chunk, PlyData.read(path, mmap=False)["vertex"]]).write(path)


def without_z(path: Path) -> None:
    rows = PlyData.read(path, mmap=False)["vertex"].data[["x", "y"]]
    PlyData([PlyElement.describe(np.array(rows.tolist(), [("x", "f4"), ("y", "f4")]), "vertex")]).write(path)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def endless(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"element vertex 6000", b"element vertex 99999999999999"))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def elsewhere(path: Path) -> None:
    data = PlyData.read(path, mmap=False)
    data["vertex"]["x"] += 1000
    data.write(path)


@pytest.mark.parametrize("spoil", [as_text, as_mesh, packed, without_z, cut, endless, empty, elsewhere])
def test_a_file_that_is_no_splat_of_these_poses(
    version: dict[str, Path], splat: tuple[Path, np.ndarray], spoil: Callable[[Path], None]
) -> None:
    path, _ = splat
    spoil(path)
    done = clean(path, version, "masks")
    assert done.returncode == ExitCode.JOB, done.stderr
    assert str(path) in done.stderr
    assert "Traceback" not in done.stderr
    assert not path.with_name("point_cloud_clean.ply").exists()


def test_mattes_are_a_version(version: dict[str, Path], splat: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    done = engine("clean", splat[0], "--poses", version["poses"], "--mattes", tmp_path)
    assert done.returncode == ExitCode.JOB
    assert "Name the folder of a finished version" in done.stderr


def test_more_cameras_than_there_are(version: dict[str, Path], splat: tuple[Path, np.ndarray]) -> None:
    done = clean(splat[0], version, "masks", "--views", COUNT + 1)
    assert done.returncode == ExitCode.JOB
    assert f"{COUNT} frames have both a matte and a pose; {COUNT + 1} are needed" in done.stderr
