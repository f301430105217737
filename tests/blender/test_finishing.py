"""Finishing from the clip's settings: the export is what the overlay draws, and nothing is tracked again."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from conftest import part
from PIL import Image
from test_jobs import COUNT, SIZE, clip  # noqa: F401 (fixtures)
from test_prompts import SQUARE, add_mask, moved


@pytest.fixture
def entry(clip):  # noqa: F811
    return clip.splat_matte.entry("Camera")


def job_of(clip):  # noqa: F811
    return part("clip.to_job").make_job(clip, "cpu", export=True)


def finished(clip, frame: int):  # noqa: F811
    module = part("viewer.finished_mattes")
    for _ in module.request(clip, frame):
        pass
    assert module.collect()
    return module.finished_of(clip, frame, part("viewer.sources").sources_of(clip, frame))


def exported_alpha() -> list[np.ndarray]:
    assert bpy.ops.splat_matte.export() == {"FINISHED"}
    version = Path(part("tasks.job_run").latest().result["folder"])
    return [np.asarray(Image.open(file))[..., 3] for file in sorted(version.iterdir())]


def test_settings_reach_the_job(clip, entry) -> None:  # noqa: F811
    job, _ = job_of(clip)
    assert job.objects[0].finishing == part("contract.job_types").Finishing()
    other = clip.tracking.objects.new("Hat")
    other.tracks.new(name="On", frame=1).markers.insert_frame(1, co=(0.2, 0.2))
    settings = entry.finishing
    settings.temporal, settings.fill_holes, settings.remove_islands = 2, 30, 40
    settings.smooth, settings.grow, settings.soft, settings.feather = 1.5, -2.5, 12, 4.0
    settings.subtract, settings.invert = "Hat", True
    job, notes = job_of(clip)
    camera, hat = job.objects
    assert hat.finishing == part("contract.job_types").Finishing()
    edge = {"smooth": 1.5, "grow": -2.5, "soft": 12, "feather": 4.0}
    expected = {"temporal": 2, "fill_holes": 30, "remove_islands": 40, **edge}
    for name, value in {**expected, "subtract": "Hat", "invert": True, "garbage": ()}.items():
        assert getattr(camera.finishing, name) == value
    assert not any("subtracted" in note for note in notes)
    clip.splat_matte.entry("Hat").use = False
    job, notes = job_of(clip)
    assert job.objects[0].finishing.subtract == ""
    assert any("Hat is not subtracted from Camera" in note for note in notes)


def test_overlay_and_export_show_the_same(clip, entry) -> None:  # noqa: F811
    """Overlay and export show the same, and neither of them tracks."""
    bpy.ops.splat_matte.track()
    plain = exported_alpha()
    sources = part("viewer.sources").sources_of(clip, 1)
    assert part("viewer.finished_mattes").finished_of(clip, 1, sources) is None, "finishing is off"
    take, made = clip.splat_matte.take_of("Camera"), sources["Camera"].made
    entry.finishing.invert, entry.finishing.grow = True, 1.0
    assert part("viewer.finished_mattes").finished_of(clip, 1, sources) is None, "not there yet"
    shown = [finished(clip, frame) for frame in range(1, COUNT + 1)]
    exported = exported_alpha()
    for matte, alpha, before in zip(shown, exported, plain, strict=True):
        assert not matte.soft
        assert matte.alpha["Camera"].shape == SIZE[::-1]
        np.testing.assert_array_equal(matte.alpha["Camera"], alpha)
        assert not (alpha & before).any()
    assert clip.splat_matte.take_of("Camera") == take
    assert part("viewer.sources").sources_of(clip, 1)["Camera"].made == made
    entry.finishing.grow = 2.0
    assert part("viewer.finished_mattes").finished_of(clip, 1, sources) is None, "of other settings"
    clip.splat_matte.target, entry.finishing.feather = "compositing", 3.0
    assert finished(clip, 2).soft
    np.testing.assert_array_equal(finished(clip, 2).alpha["Camera"], exported_alpha()[1])


def test_a_preview_is_finished_too(clip, entry) -> None:  # noqa: F811
    bpy.ops.splat_matte.preview()
    entry.finishing.invert = True
    first = finished(clip, 1).alpha["Camera"]
    entry.finishing.invert, entry.finishing.smooth = False, 0.1
    np.testing.assert_array_equal(finished(clip, 1).alpha["Camera"], ~first)


def test_a_preview_makes_an_object_ready_to_be_finished(clip) -> None:  # noqa: F811
    assert "Camera" not in clip.splat_matte.objects
    bpy.ops.splat_matte.preview()
    assert "Camera" in clip.splat_matte.objects


def test_what_is_wrong_is_said_once(clip, entry) -> None:  # noqa: F811
    entry.finishing.invert = True
    clip.tracking.objects["Camera"].tracks[0].hide = True
    with pytest.raises(part("contract.errors").JobError, match="Nothing is marked"):
        part("viewer.finished_mattes").request(clip, 1)


def test_garbage_is_where_blender_has_the_mask(clip, entry, clip_editor) -> None:  # noqa: F811
    """The area is Blender's on keys, between them, and without any; a key outside the clip counts, too."""
    entry.finishing.garbage = add_mask(clip, clip_editor, "Wires", {-3: [SQUARE], 5: [moved(SQUARE, 0.4)]})
    clip.splat_matte.mask = None
    (garbage,) = job_of(clip)[0].objects[0].finishing.garbage
    assert [key.frame for key in garbage.keys] == [-3, 5]
    assert (garbage.holes, garbage.outside) == (False, False)
    layer = entry.finishing.garbage.layers[0]
    for frame in (1, 3):
        bpy.context.scene.frame_set(frame)
        evaluated = entry.finishing.garbage.evaluated_get(bpy.context.evaluated_depsgraph_get())
        left = min(point.co[0] for point in evaluated.layers[0].splines[0].points) * SIZE[0]
        weight = (frame + 3) / 8
        ours = [min(x for x, _ in key.polygons[0]) for key in garbage.keys]
        assert ours[0] * (1 - weight) + ours[1] * weight == pytest.approx(left, abs=0.01)
    layer.invert = layer.use_fill_holes = True
    (garbage,) = job_of(clip)[0].objects[0].finishing.garbage
    assert garbage.holes
    assert garbage.outside

    layer.splines[0].use_cyclic = False
    job, notes = job_of(clip)
    assert job.objects[0].finishing.garbage == ()
    assert any("'Wires' has no closed and filled spline" in note for note in notes)


def test_garbage_without_keys(clip, entry, clip_editor) -> None:  # noqa: F811
    mask = bpy.data.masks.new("Static")
    spline = mask.layers.new(name="Area").splines.new()
    spline.use_cyclic = True
    spline.points.add(3)
    for point, place in zip(spline.points, SQUARE, strict=True):
        point.co = point.handle_left = point.handle_right = place
    entry.finishing.garbage = mask
    bpy.ops.splat_matte.track()
    entry.finishing.invert = True  # so that there is something to take away
    with_garbage = finished(clip, 3).alpha["Camera"]
    entry.finishing.garbage = None
    without = finished(clip, 3).alpha["Camera"]
    x0, x1 = round(0.2 * SIZE[0]) + 1, round(0.6 * SIZE[0]) - 1
    y0, y1 = SIZE[1] // 2 - 9, SIZE[1] // 2 + 9
    assert not with_garbage[y0:y1, x0:x1].any()
    outside = np.ones(without.shape, bool)
    outside[y0 - 2 : y1 + 2, x0 - 2 : x1 + 2] = False
    np.testing.assert_array_equal(with_garbage[outside], without[outside])


def test_finishing_is_saved_with_the_file(clip, entry, tmp_path: Path) -> None:  # noqa: F811
    entry.finishing.grow, entry.finishing.garbage = -3.0, bpy.data.masks.new("Wires")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    settings = bpy.data.movieclips[0].splat_matte.entry("Camera").finishing
    assert (settings.grow, settings.garbage.name) == (-3.0, "Wires")


def test_garbage_on_photos_held_differently(tmp_path: Path) -> None:
    """The area stays where Blender draws it, over photos as they are stored, while mattes are upright."""
    for i, orientation in enumerate((1, 1, 3, 1)):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.new("RGB", SIZE).save(tmp_path / f"IMG_{i + 1:04d}.jpg", exif=exif)
    photos = bpy.data.movieclips.load(str(tmp_path / "IMG_0001.jpg"))
    photos.tracking.objects["Camera"].tracks.new(name="On", frame=1).markers.insert_frame(1, co=(0.5, 0.5))
    mask = bpy.data.masks.new("Left")
    spline = mask.layers.new(name="Area").splines.new()
    spline.use_cyclic = True
    spline.points.add(3)
    for point, (x, y) in zip(spline.points, SQUARE, strict=True):
        point.co = point.handle_left = point.handle_right = (x / 2, y)
    photos.splat_matte.entry("Camera").finishing.garbage = mask
    (garbage,) = job_of(photos)[0].objects[0].finishing.garbage
    right = {key.frame: max(x for x, _ in key.polygons[0]) for key in garbage.keys}
    assert right.pop(3) == pytest.approx(0.9 * SIZE[0])
    assert set(right) == {0, 2, 4}
    assert list(right.values()) == pytest.approx([0.3 * SIZE[0]] * 3)
