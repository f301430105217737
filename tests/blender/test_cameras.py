"""The solved camera, written for the 3-D check, and the check itself; with the real engine."""

import json
from pathlib import Path

import bpy
import numpy as np
import pytest
from conftest import part
from PIL import Image

SIZE = (96, 72)
COUNT = 12
FOCAL = 90.0


def camera(frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rotation and translation from the world to x right, y down, z forward, on an arc around the origin."""
    angle = 0.09 * frame
    place = np.array([4 * np.cos(angle), 4 * np.sin(angle), 1.2])
    ahead = -place / np.linalg.norm(place)
    right = np.cross(ahead, [0, 0, 1])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(ahead, right), ahead])
    return rotation, -rotation @ place


def seen(points: np.ndarray, frame: int) -> np.ndarray:
    """Project world points to pixels from the top left."""
    rotation, translation = camera(frame)
    local = points @ rotation.T + translation
    return local[:, :2] / local[:, 2:] * FOCAL + np.array(SIZE) / 2


@pytest.fixture
def solved(tmp_path: Path, clip_editor) -> bpy.types.MovieClip:
    """A clip whose camera Blender has solved from tracks of its own; the subject is another object."""
    folder = tmp_path / "plates"
    folder.mkdir()
    for i in range(COUNT):
        Image.new("RGB", SIZE, (70, 80, 90)).save(folder / f"shot.{i + 1:04d}.png")
    clip = bpy.data.movieclips.load(str(folder / "shot.0001.png"))
    clip.use_fake_user = True
    bpy.context.scene.active_clip = clip
    tracking = clip.tracking
    tracking.camera.sensor_width = 36
    tracking.camera.focal_length_pixels = FOCAL
    tracking.camera.principal_point_pixels = (SIZE[0] / 2, SIZE[1] / 2)
    points = np.random.default_rng(3).uniform(-0.9, 0.9, (20, 3))
    tracks = [tracking.objects["Camera"].tracks.new(name=f"{i}", frame=1) for i in range(len(points))]
    for frame in range(1, COUNT + 1):
        for track, (x, y) in zip(tracks, seen(points, frame), strict=True):
            track.markers.insert_frame(frame, co=(x / SIZE[0], 1 - y / SIZE[1]))
    tracking.settings.use_keyframe_selection = True
    with clip_editor():
        bpy.context.space_data.clip = clip
        assert bpy.ops.clip.solve_camera() == {"FINISHED"}
    assert tracking.reconstruction.is_valid and tracking.reconstruction.average_error < 0.1
    subject = tracking.objects.new("subject").tracks.new(name="On", frame=1)
    subject.markers.insert_frame(1, co=(0.5, 0.5))
    bpy.ops.splat_matte.switch_object(name="Camera")
    return clip


def test_the_written_camera_sees_the_points_where_the_markers_are(solved, tmp_path: Path) -> None:
    part("clip.poses").write_poses(solved, tmp_path / "cameras.json")
    data = json.loads((tmp_path / "cameras.json").read_text())
    assert [Path(entry["file_path"]).name for entry in data["frames"]] == [
        f"shot.{frame:04d}.png" for frame in range(1, COUNT + 1)
    ]
    tracks = solved.tracking.objects["Camera"].tracks
    for frame, entry in enumerate(data["frames"], 1):
        from_world = np.linalg.inv(np.array(entry["transform_matrix"]))
        for track in tracks:
            x, y, z = (from_world @ [*track.bundle, 1])[:3]
            place = (data["fl_x"] * x / -z + data["cx"], data["fl_y"] * -y / -z + data["cy"])
            u, v = track.markers.find_frame(frame).co
            np.testing.assert_allclose(place, (u * SIZE[0], (1 - v) * SIZE[1]), atol=0.3)


def test_a_solved_track_is_a_point_where_it_is_lost(solved) -> None:
    """Five tracks end in the middle of the clip. Those that no other track occludes become points where the camera sees
    them.
    """
    tracks = list(solved.tracking.objects["Camera"].tracks)
    truth = np.random.default_rng(3).uniform(-0.9, 0.9, (20, 3))
    for track in tracks[:5]:
        for frame in range(6, COUNT + 1):
            track.markers.delete_frame(frame)
    bpy.ops.splat_matte.switch_object(name="Camera")
    summary_of = part("clip.summary").summary_of
    entry = solved.splat_matte.entry("Camera")
    by_hand = summary_of(solved).prompts.marks["Camera"].points
    for how, frames in (("LOST", (6, 9, 12)), ("STEP", (7, 10))):
        entry.solved, entry.solved_step = how, 3
        prompts = summary_of(solved).prompts
        found = prompts.marks["Camera"].points
        hidden = 0
        for frame in range(1, COUNT + 1):
            rotation, translation = camera(frame)
            depths = (truth @ rotation.T + translation)[:, 2]
            places = seen(truth, frame)
            wanted = [place.tolist() for place in places[5 if frame > 5 else 0 :]]
            for i in range(5) if frame in frames else ():
                near = np.hypot(*(places[5:] - places[i]).T) < 0.03 * SIZE[0]
                if (near & (depths[5:] < 0.97 * depths[i])).any():
                    hidden += 1
                elif (places[i] > 0).all() and (places[i] < SIZE).all():
                    wanted.append(places[i].tolist())
            got = [(point.x, point.y) for point in found[frame]]
            np.testing.assert_allclose(got, wanted, atol=0.3, err_msg=f"frame {frame}")
        assert (
            any(f"{hidden} places of solved tracks are hidden" in sentence for sentence in prompts.ignored)
            or not hidden
        )
    entry.solved = "OFF"
    assert summary_of(solved).prompts.marks["Camera"].points == by_hand

    entry.solved = "STEP"
    solved.tracking.camera.distortion_model = "DIVISION"
    assert any("lens distortion model Polynomial" in sentence for sentence in summary_of(solved).prompts.ignored)


def test_one_solved_marker_marks_the_subject_in_the_whole_clip(solved, clip_editor) -> None:
    """A track that is moved into an object of its own keeps its 3-D position, and needs a marker on two frames only."""
    track = solved.tracking.objects["Camera"].tracks[3]
    for frame in range(3, COUNT + 1):
        track.markers.delete_frame(frame)
    with clip_editor():
        bpy.context.space_data.clip = solved
        solved.tracking.objects.active = solved.tracking.objects["Camera"]
        for other in solved.tracking.objects["Camera"].tracks:
            other.select = other == track
        assert bpy.ops.splat_matte.object_from_tracks() == {"FINISHED"}
    (name,) = {tracking_object.name for tracking_object in solved.tracking.objects} - {"Camera", "subject"}
    solved.splat_matte.entry(name).solved = "STEP"
    solved.splat_matte.entry(name).solved_step = 1
    marks = part("clip.summary").summary_of(solved).prompts.marks[name]
    truth = np.random.default_rng(3).uniform(-0.9, 0.9, (20, 3))[3:4]
    assert marks.frames[:2] == [1, 2] and len(marks.frames) > COUNT / 2
    for frame, (point,) in marks.points.items():
        np.testing.assert_allclose((point.x, point.y), seen(truth, frame)[0], atol=0.3)


def test_a_wrong_matte_is_a_suspect(solved) -> None:
    assert bpy.ops.splat_matte.track() == {"FINISHED"}
    take = Path(solved.splat_matte.take_of("subject"))
    centre = np.zeros((1, 3))
    for frame in range(1, COUNT + 1):
        x, y = seen(centre, frame)[0]
        grid_y, grid_x = np.mgrid[: SIZE[1], : SIZE[0]] + 0.5
        mask = np.hypot(grid_x - x, grid_y - y) < 14
        if frame == 7:
            mask |= np.abs(grid_y - 36) < 3
        logits = np.where(mask, 6, -6).astype(np.float16)
        np.savez_compressed(take / "matte" / f"{frame:06d}.npz", logits=logits, iou=0.95, object_score=8.0)
    (take / "measures.npz").unlink()
    assert bpy.ops.splat_matte.check_cameras() == {"FINISHED"}
    worst = solved.splat_matte.suspects[0]
    assert worst.frame == 7 and "other cameras" in worst.reason


def test_a_splat_is_cleaned_by_the_latest_version(solved, tmp_path: Path) -> None:
    """Two clouds of Gaussians: one where every matte is, one that all cameras see beside it."""
    assert bpy.ops.splat_matte.track() == {"FINISHED"}
    take = Path(solved.splat_matte.take_of("subject"))
    grid_y, grid_x = np.mgrid[: SIZE[1], : SIZE[0]] + 0.5
    for frame in range(1, COUNT + 1):
        x, y = seen(np.zeros((1, 3)), frame)[0]
        logits = np.where(np.hypot(grid_x - x, grid_y - y) < 12, 6, -6).astype(np.float16)
        np.savez_compressed(take / "matte" / f"{frame:06d}.npz", logits=logits, iou=0.95, object_score=8.0)
    solved.splat_matte.target = "masks"
    solved.splat_matte.output = str(tmp_path / "empty")
    random = np.random.default_rng(4)
    places = np.concatenate([random.normal(0, 0.05, (50, 3)), random.normal((0, 0, 1.1), 0.05, (30, 3))])
    rows = np.zeros(80, [(name, "<f4") for name in ("x", "y", "z", "opacity")])
    rows["x"], rows["y"], rows["z"] = places.T
    rows["opacity"] = np.arange(80)
    header = "".join(f"property float {name}\n" for name in rows.dtype.names)
    splat = tmp_path / "point_cloud.ply"
    splat.write_bytes(
        f"ply\nformat binary_little_endian 1.0\nelement vertex 80\n{header}end_header\n".encode() + rows.tobytes()
    )
    frames = []
    for frame in range(1, COUNT + 1):
        rotation, translation = camera(frame)
        to_world = np.eye(4)
        to_world[:3, :3] = (np.diag([1, -1, -1]) @ rotation).T
        to_world[:3, 3] = -rotation.T @ translation
        frames.append({"file_path": f"shot.{frame:04d}.png", "transform_matrix": to_world.tolist()})
    poses = tmp_path / "transforms.json"
    poses.write_text(json.dumps({"fl_x": FOCAL, "w": SIZE[0], "h": SIZE[1], "frames": frames}))
    solved.splat_matte.poses = str(poses)
    assert not bpy.ops.splat_matte.clean_splat.poll(), "no splat is chosen"
    solved.splat_matte.splat = str(splat)
    with pytest.raises(RuntimeError, match="No version in this folder contains mattes of the subject"):
        bpy.ops.splat_matte.clean_splat(count=True)
    solved.splat_matte.output = ""
    assert bpy.ops.splat_matte.export() == {"FINISHED"}
    before = splat.read_bytes()
    for write, made in ((False, []), (True, ["point_cloud_clean.ply"]), (True, ["point_cloud_clean_2.ply"])):
        there = set(tmp_path.glob("*.ply"))
        assert bpy.ops.splat_matte.clean_splat(count=not write) == {"FINISHED"}
        result = part("tasks.job_run").latest().result
        assert (result["gaussians"], result["removed"], result["floaters"]) == (80, 30, 0)
        assert sorted(path.name for path in set(tmp_path.glob("*.ply")) - there) == made
    assert splat.read_bytes() == before
    kept = (tmp_path / "point_cloud_clean.ply").read_bytes()
    assert kept.endswith(rows[:50].tobytes()) and b"element vertex 50" in kept


def test_without_a_camera(solved) -> None:
    solved.splat_matte.poses = str(Path(solved.filepath).with_name("nowhere"))
    with pytest.raises(RuntimeError, match="no poses"):
        bpy.ops.splat_matte.check_cameras()
    solved.splat_matte.poses = ""
    solved.tracking.camera.distortion_model = "DIVISION"
    with pytest.raises(RuntimeError, match="Choose Polynomial"):
        bpy.ops.splat_matte.check_cameras()
    bpy.context.scene.active_clip = bpy.data.movieclips.load(solved.filepath)
    assert not bpy.ops.splat_matte.check_cameras.poll()
