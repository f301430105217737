"""The 3-D check: poses as COLMAP and nerfstudio write them, and wrong mattes among right ones."""

import json
from pathlib import Path

import cv2
import numpy as np
import pycolmap
import pytest
from PIL import Image

from addon.contract.errors import ExitCode, JobError
from addon.contract.job import Job
from addon.contract.job_types import Footage, MatteObject, Model, Point, Prompt
from addon.engine.review.cameras import Camera, read_poses
from addon.engine.review.visual_hull import disagreements, doubts
from addon.engine.store.matte_store import Matte, Take
from tests.engine.test_command_line import engine

WIDTH, HEIGHT, COUNT = 96, 72, 24
FOCAL, CENTRE = 90.0, (47.0, 37.0)


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Footage:
    folder = tmp_path_factory.mktemp("turntable")
    for i in range(COUNT):
        Image.new("RGB", (WIDTH, HEIGHT), (90, 9 * i, 40)).save(folder / f"view_{i:03d}.jpg")
    return Footage(tuple(sorted(map(str, folder.iterdir()))), WIDTH, HEIGHT, COUNT)


def to_world(index: int) -> np.ndarray:
    """A camera on a circle that looks at the origin: 4 x 4, x right, y up, looking along -z."""
    angle = 2 * np.pi * index / COUNT
    place = np.array([4 * np.cos(angle), 4 * np.sin(angle), 1.5])
    back = place / np.linalg.norm(place)
    right = np.cross([0, 0, 1], back)
    right /= np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3] = np.stack([right, np.cross(back, right), back, place], axis=1)
    return matrix


def transforms(footage: Footage, **more: object) -> dict[str, object]:
    frames = [
        {"file_path": f"images/{Path(file).name}", "transform_matrix": to_world(i).tolist()}
        for i, file in enumerate(footage.files)
    ]
    intrinsics = {"fl_x": FOCAL, "fl_y": FOCAL, "cx": CENTRE[0], "cy": CENTRE[1], "w": WIDTH, "h": HEIGHT}
    return {**intrinsics, **more, "frames": frames}


def written(path: Path, data: object) -> Path:
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


@pytest.fixture
def cameras(footage: Footage, tmp_path: Path) -> dict[int, Camera]:
    return read_poses(written(tmp_path / "transforms.json", transforms(footage)), footage)


def colmap_model(footage: Footage, model: str, parameters: list[float]) -> pycolmap.Reconstruction:
    """Write a model in the format of COLMAP itself."""
    found = pycolmap.Reconstruction()
    camera = pycolmap.Camera(camera_id=7, model=model, width=WIDTH, height=HEIGHT, params=parameters)
    found.add_camera_with_trivial_rig(camera)
    for i, file in enumerate(footage.files):
        rotation = np.diag([1.0, -1.0, -1.0]) @ to_world(i)[:3, :3].T
        pose = pycolmap.Rigid3d(pycolmap.Rotation3d(rotation), -rotation @ to_world(i)[:3, 3])
        image = pycolmap.Image(name=f"sub folder/{Path(file).name}", camera_id=7, image_id=i + 1)
        found.add_image_with_trivial_frame(image, pose)
    return found


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        ("SIMPLE_PINHOLE", [FOCAL, *CENTRE]),
        ("PINHOLE", [FOCAL, 88.0, *CENTRE]),
        ("SIMPLE_RADIAL", [FOCAL, *CENTRE, 0.05]),
        ("RADIAL", [FOCAL, *CENTRE, 0.05, -0.01]),
        ("OPENCV", [FOCAL, 88.0, *CENTRE, 0.05, -0.01, 0.003, -0.002]),
        ("FULL_OPENCV", [FOCAL, 88.0, *CENTRE, 0.05, -0.01, 0.003, -0.002, 0.01, 0.02, -0.01, 0.003]),
    ],
)
@pytest.mark.parametrize("binary", [True, False])
def test_colmap_agrees_on_where_a_point_is(
    footage: Footage, tmp_path: Path, model: str, parameters: list[float], binary: bool
) -> None:
    made = colmap_model(footage, model, parameters)
    (made.write_binary if binary else made.write_text)(str(tmp_path))
    found = read_poses(tmp_path, footage)
    assert set(found) == set(range(1, COUNT + 1))
    points = np.random.default_rng(1).uniform(-0.8, 0.8, (20, 3))
    for image in made.images.values():
        camera = found[image.image_id]
        expected = [image.project_point(point) for point in points]
        np.testing.assert_allclose(camera.project(points)[0] * (WIDTH, HEIGHT), expected, atol=1e-6)


def test_transforms_mean_the_same_cameras(footage: Footage, cameras: dict[int, Camera], tmp_path: Path) -> None:
    colmap_model(footage, "SIMPLE_PINHOLE", [FOCAL, *CENTRE]).write_text(str(tmp_path))
    for frame, camera in read_poses(tmp_path, footage).items():
        np.testing.assert_allclose(cameras[frame].place, camera.place, atol=1e-9)
        np.testing.assert_allclose(cameras[frame].rotation, camera.rotation, atol=1e-9)
    angle = {"camera_angle_x": 2 * np.arctan(WIDTH / 2 / FOCAL), "fl_x": 0, "fl_y": 0}
    by_angle = read_poses(written(tmp_path / "angle.json", transforms(footage, **angle)), footage)
    np.testing.assert_allclose(by_angle[1].lens.focal, cameras[1].lens.focal)


def test_what_is_behind_is_nowhere(cameras: dict[int, Camera]) -> None:
    places, depth = cameras[1].project(np.array([[8.0, 0.0, 3.0], [0.0, 0.0, 0.0]]))
    assert np.isnan(places[0]).all() and depth[0] < 0
    assert depth[1] == pytest.approx(np.hypot(4, 1.5))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "no poses"),
        ("no json", "damaged"),
        ({"frames": []}, "None of its images"),
        ({"frames": [{"file_path": "view_000.jpg", "transform_matrix": [[1, 0], [0, 1]]}], "fl_x": 9}, "view_000.jpg"),
        ({"camera_model": "OPENCV_FISHEYE"}, "OPENCV_FISHEYE"),
        ({"w": HEIGHT, "h": WIDTH}, "72 x 96"),
        ({"fl_x": 0, "fl_y": 0}, "focal length"),
    ],
)
def test_bad_poses(footage: Footage, tmp_path: Path, data: object, words: str) -> None:
    path = tmp_path / "transforms.json"
    if isinstance(data, dict):
        written(path, data if "frames" in data else transforms(footage, **data))
    elif data:
        path.write_text(str(data))
    with pytest.raises(JobError, match=words) as raised:
        read_poses(path, footage)
    assert str(path) in str(raised.value)


def hostile(matrix: object = None, **more: object) -> dict[str, object]:
    frame = {"file_path": "view_000.jpg", "transform_matrix": np.eye(4).tolist() if matrix is None else matrix}
    return {"fl_x": FOCAL, "w": WIDTH, "h": HEIGHT, "frames": [frame | more]}


@pytest.mark.parametrize(
    "data",
    [
        hostile([[0.0] * 4] * 4),
        hostile([[1e300] * 4] * 4),
        hostile([[1, 0, 0, 1e12], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
        hostile("none"),
        hostile([[[]]]),
        hostile(file_path=7),
        hostile(file_path=None),
        hostile(fl_x=1e300),
        hostile(fl_x=10**400),
        hostile(k1=1e200),
        hostile(w=10**400, h=10**400),
        hostile(w=0, h=0),
        hostile(camera_angle_x=1e-300, fl_x=0),
        {"frames": 7},
        {"frames": [7]},
        {"frames": {"a": 1}},
        [],
        7,
    ],
)
@pytest.mark.filterwarnings("error")
def test_hostile_transforms(footage: Footage, tmp_path: Path, data: object) -> None:
    path = written(tmp_path / "transforms.json", data)
    with pytest.raises(JobError) as raised:
        read_poses(path, footage)
    assert raised.value.where == str(path)
    assert raised.value.hint


def test_transforms_nested_beyond_reason(footage: Footage, tmp_path: Path) -> None:
    (tmp_path / "transforms.json").write_text("[" * 100_000)
    with pytest.raises(JobError, match="nested"):
        read_poses(tmp_path / "transforms.json", footage)


@pytest.mark.parametrize("rotation", ["0 0 0 0", "nan 0 0 0", "inf 0 0 0", "1e200 0 0 1e200", "9 0 0 0"])
@pytest.mark.parametrize("translation", ["0 0 1", "1e300 0 0", "nan 0 0"])
def test_hostile_text_models(footage: Footage, tmp_path: Path, rotation: str, translation: str) -> None:
    (tmp_path / "cameras.txt").write_text(f"7 SIMPLE_PINHOLE {WIDTH} {HEIGHT} {FOCAL} 47 37\n")
    (tmp_path / "images.txt").write_text(f"1 {rotation} {translation} 7 view_000.jpg\n\n")
    with pytest.raises(JobError, match=r"quaternion|numbers"):
        read_poses(tmp_path, footage)


@pytest.mark.parametrize("lens", ["7 PINHOLE 96 72", f"7 SIMPLE_PINHOLE {'9' * 400} {'9' * 400} 9 9 9", "7", "a b c d"])
def test_hostile_lenses(footage: Footage, tmp_path: Path, lens: str) -> None:
    (tmp_path / "cameras.txt").write_text(f"{lens}\n")
    (tmp_path / "images.txt").write_text("1 1 0 0 0 0 0 1 7 view_000.jpg\n\n")
    with pytest.raises(JobError):
        read_poses(tmp_path, footage)


def test_a_binary_model_of_more_than_there_is(footage: Footage, tmp_path: Path) -> None:
    """A count, a name and a list of points claim to be as long as a number can express."""
    colmap_model(footage, "PINHOLE", [FOCAL, FOCAL, *CENTRE]).write_binary(str(tmp_path))
    whole = (tmp_path / "images.bin").read_bytes()
    points_at = whole.index(b".jpg\0") + 5
    for at in (0, points_at):
        (tmp_path / "images.bin").write_bytes(whole[:at] + b"\xff" * 8 + whole[at + 8 :])
        with pytest.raises(JobError, match="damaged"):
            read_poses(tmp_path, footage)


def test_a_cut_off_model(footage: Footage, tmp_path: Path) -> None:
    colmap_model(footage, "PINHOLE", [FOCAL, FOCAL, *CENTRE]).write_binary(str(tmp_path))
    images = tmp_path / "images.bin"
    images.write_bytes(images.read_bytes()[:-300])
    with pytest.raises(JobError, match="damaged"):
        read_poses(tmp_path, footage)


def silhouettes(cameras: dict[int, Camera]) -> dict[int, np.ndarray]:
    """Return the silhouettes of two boxes, one on top of the other."""
    corners = np.stack(np.meshgrid(*[(-0.5, 0.5)] * 3), axis=-1).reshape(-1, 3)
    boxes = corners * (1.2, 0.7, 0.5) - (0, 0, 0.3), corners * (0.4, 0.4, 0.8) + (0.2, 0, 0.3)
    found = {}
    for frame, camera in cameras.items():
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        for box in boxes:
            places = (camera.project(box)[0] * (WIDTH, HEIGHT)).astype(np.int32)
            cv2.fillConvexPoly(mask, cv2.convexHull(places), 1)
        found[frame] = mask > 0
    return found


def wrong(mask: np.ndarray, how: str) -> np.ndarray:
    mask = mask.copy()
    if how == "half":
        mask[:, : int(np.nonzero(mask)[1].mean())] = False
    elif how == "leak":
        mask[50:, :30] = True
    elif how == "empty":
        mask[:] = False
    else:
        mask = np.roll(mask, 12, 1)
    return mask


def test_right_mattes_agree(cameras: dict[int, Camera]) -> None:
    assert max(doubt for doubt, _ in doubts(disagreements(cameras, silhouettes(cameras).__getitem__)).values()) < 1


@pytest.mark.parametrize(
    ("how", "words"), [("half", "they see"), ("empty", "they see"), ("leak", "don't see"), ("shifted", "see")]
)
def test_the_wrong_one_is_found(cameras: dict[int, Camera], how: str, words: str) -> None:
    masks = silhouettes(cameras)
    masks[5] = wrong(masks[5], how)
    judged = doubts(disagreements(cameras, masks.__getitem__))
    assert {frame for frame, (doubt, _) in judged.items() if doubt >= 1} == {5}
    assert words in judged[5][1] and "other cameras" in judged[5][1]


def test_two_wrong_ones(cameras: dict[int, Camera]) -> None:
    masks = silhouettes(cameras)
    masks[5], masks[11] = wrong(masks[5], "half"), wrong(masks[11], "leak")
    judged = doubts(disagreements(cameras, masks.__getitem__))
    assert {frame for frame, (doubt, _) in judged.items() if doubt >= 1} == {5, 11}


def test_one_in_three_is_wrong(cameras: dict[int, Camera]) -> None:
    masks = silhouettes(cameras)
    errors = {2: "half", 3: "half", 6: "empty", 8: "shifted", 9: "shifted", 13: "leak", 17: "empty", 20: "half"}
    for frame, how in errors.items():
        masks[frame] = wrong(masks[frame], how)
    judged = doubts(disagreements(cameras, masks.__getitem__))
    assert {frame for frame, (doubt, _) in judged.items() if doubt >= 1} == set(errors)


def test_nothing_to_compare(cameras: dict[int, Camera]) -> None:
    masks = silhouettes(cameras)
    with pytest.raises(JobError, match="Only 3 tracked frames"):
        disagreements({frame: cameras[frame] for frame in (1, 2, 3)}, masks.__getitem__)
    with pytest.raises(JobError, match="empty"):
        disagreements(cameras, lambda frame: np.zeros((9, 9), bool))
    random = np.random.default_rng(0)
    elsewhere = {frame: np.zeros((HEIGHT, WIDTH), bool) for frame in masks}
    for mask in elsewhere.values():
        y, x = random.integers(0, HEIGHT - 6), random.integers(0, WIDTH - 6)
        mask[y : y + 5, x : x + 5] = True
    with pytest.raises(JobError, match="no place in common"):
        disagreements(cameras, elsewhere.__getitem__)


def test_review_with_poses(footage: Footage, cameras: dict[int, Camera], checkpoint: Model, tmp_path: Path) -> None:
    objects = (MatteObject("boxes", (Prompt(1, (Point(48, 36),)),)),)
    job = Job(footage, objects, model=checkpoint, output=str(tmp_path / "mattes"), target="")
    job_file = tmp_path / "job.json"
    job_file.write_text(job.to_json(), encoding="utf-8")
    tracked = engine("run", job_file)
    assert tracked.returncode == ExitCode.OK, tracked.stderr
    (folder,) = (path for path in (tmp_path / "mattes" / "work" / "objects").iterdir() if path.is_dir())
    masks = silhouettes(cameras)
    masks[9] = wrong(masks[9], "half")
    for frame, mask in masks.items():
        Take(folder).put_matte(frame, Matte(np.where(mask, 6, -6).astype(np.float16), 0.95, 8.0))
    Take(folder).measures_path.unlink()
    poses = written(tmp_path / "transforms.json", transforms(footage))
    done = engine("review", job_file, "--poses", poses)
    assert done.returncode == ExitCode.OK, done.stderr
    assert "frame 9" in done.stdout and "disagrees with the other cameras" in done.stdout
    assert engine("review", job_file).stdout == done.stdout, "it is kept"
    failed = engine("review", job_file, "--poses", tmp_path / "nothing")
    assert failed.returncode == ExitCode.JOB and "no poses" in failed.stderr
