"""What the overlay draws from: previews, and mattes that are found again. Drawing itself needs a window."""

from pathlib import Path

import bpy
import numpy as np
from conftest import part
from test_jobs import COUNT, clip, engine_python, own_engine  # noqa: F401 (fixtures)


def test_preview_shows_what_tracking_makes_of_the_frame(clip, tmp_path) -> None:  # noqa: F811
    assert bpy.ops.splat_matte.preview() == {"FINISHED"}
    preview = part("viewer.previews").preview_of(clip.name, 1).logits["Camera"]
    assert part("viewer.previews").preview_of(clip.name, 2) is None
    bpy.ops.splat_matte.track()
    mattes = part("results.take_reader")
    tracked = mattes.read_logits(mattes.matte_file(Path(clip.splat_matte.take_of("Camera")), 1))
    assert np.array_equal(preview, tracked)


def test_preview_of_an_unmarked_frame_is_empty(clip) -> None:  # noqa: F811
    bpy.context.scene.frame_current = 3
    assert bpy.ops.splat_matte.preview() == {"FINISHED"}
    assert part("viewer.previews").preview_of(clip.name, 3).logits == {}


def test_a_reopened_file_finds_its_mattes(clip, tmp_path) -> None:  # noqa: F811
    bpy.ops.splat_matte.track()
    path = tmp_path / "shot.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(path))
    reopened = bpy.data.movieclips[0]
    take = reopened.splat_matte.take_of("Camera")
    assert part("results.take_reader").tracked_frames(take) == set(range(1, COUNT + 1))


def test_a_changed_marker_makes_mattes_stale(clip) -> None:  # noqa: F811
    bpy.ops.splat_matte.track()
    take = Path(clip.splat_matte.take_of("Camera"))
    plate = part("clip.footage").plate_of(clip, part("clip.footage").read_footage(clip)[0])

    def marked() -> tuple:
        return part("clip.prompts").read_prompts(clip, plate).marks["Camera"].prompts()

    is_made_from = part("results.take_reader").is_made_from
    assert is_made_from(take, marked())
    clip.tracking.objects["Camera"].tracks[0].markers[0].co[0] += 0.01
    assert not is_made_from(take, marked())
    clip.tracking.objects["Camera"].tracks[0].markers[0].co[0] -= 0.01


def test_spans_of_the_lane() -> None:
    assert list(part("clip.frame_status").spans({1, 2, 3, 7, 9, 10})) == [(1, 4), (7, 8), (9, 11)]
    assert list(part("clip.frame_status").spans(set())) == []


def test_every_object_has_a_colour_of_its_own(clip) -> None:  # noqa: F811
    clip.tracking.objects.new("chair")
    colours = part("ui.overlay").colours(clip)
    assert list(colours) == ["Camera", "chair"]
    assert len(set(colours.values())) == 2
