"""Which frames: found by the real engine, shown in the lane, changed by hand, and no others exported."""

from pathlib import Path

import bpy
import numpy as np
import pytest
from conftest import part
from PIL import Image, ImageFilter

SIZE = (128, 96)
COUNT = 8
BLURRED, STILL = 3, 6  # clip frames: a smeared one, and one that is as the frame before


@pytest.fixture
def clip(tmp_path: Path) -> bpy.types.MovieClip:
    """A pan over spots, marked on its first frame."""
    folder = tmp_path / "pan"
    folder.mkdir()
    spots = np.random.default_rng(5).integers(0, 255, (SIZE[1] // 2, SIZE[0]), np.uint8)
    wall = Image.fromarray(spots).resize((2 * SIZE[0], SIZE[1]), Image.Resampling.BICUBIC)
    for frame in range(1, COUNT + 1):
        left = 6 * (frame - (frame == STILL))
        picture = wall.crop((left, 0, left + SIZE[0], SIZE[1]))
        if frame == BLURRED:
            picture = picture.filter(ImageFilter.BoxBlur(4))
        picture.convert("RGB").save(folder / f"pan.{frame:04d}.png")
    clip = bpy.data.movieclips.load(str(folder / "pan.0001.png"))
    clip.use_fake_user = True
    bpy.context.scene.active_clip = clip
    track = clip.tracking.objects["Camera"].tracks.new(name="Track", frame=1)
    track.markers.insert_frame(1, co=(0.5, 0.5))
    return clip


def test_what_is_dropped_is_seen_changed_and_not_exported(clip) -> None:
    lane_of, settings = part("clip.frame_status").lane_of, clip.splat_matte
    assert bpy.ops.splat_matte.select_frames() == {"FINISHED"}
    dropped = lane_of(clip)["dropped"]
    assert BLURRED in dropped and len(dropped & {STILL - 1, STILL}) == 1 and len(dropped) == 2
    result = part("tasks.job_run").latest().result
    assert (result["kept"], result["dropped"], result["blurred"]) == (COUNT - 2, 2, 1)
    bpy.context.scene.frame_set(BLURRED)
    assert bpy.ops.splat_matte.drop_frame() == {"FINISHED"}
    assert BLURRED not in settings.dropped_frames()
    bpy.ops.splat_matte.drop_frame()
    bpy.context.scene.frame_set(COUNT)
    bpy.ops.splat_matte.drop_frame()
    expected = set(range(1, COUNT + 1)) - dropped - {COUNT}
    job, _ = part("clip.to_job").make_job(clip, "cpu", export=True)
    assert set(job.delivery.kept) == expected and list(job.frames) == list(range(1, COUNT + 1))
    bpy.context.scene.frame_set(1)
    assert bpy.ops.splat_matte.jump(kind="dropped") == {"FINISHED"}
    assert bpy.context.scene.frame_current == BLURRED
    assert bpy.ops.splat_matte.export() == {"FINISHED"}
    version = Path(clip.filepath).parent / "pan_matte" / "v001"
    assert {int(path.stem[-4:]) for path in version.glob("*.png")} == expected
    assert len((version / "kept.txt").read_text().splitlines()) == len(expected)
    assert len(lane_of(clip)["tracked"]) == COUNT


def test_a_range_leaves_what_was_said_of_others(clip) -> None:
    clip.splat_matte.drop({1, COUNT})
    clip.splat_matte.use_range, clip.splat_matte.range_start, clip.splat_matte.range_end = True, 2, 4
    assert bpy.ops.splat_matte.select_frames() == {"FINISHED"}
    assert {1, BLURRED, COUNT} == clip.splat_matte.dropped_frames()
    assert bpy.ops.splat_matte.keep_all_frames() == {"FINISHED"}
    assert not clip.splat_matte.dropped and not bpy.ops.splat_matte.keep_all_frames.poll()


def test_a_panorama_is_looked_at_too(clip) -> None:
    clip.splat_matte.panorama = True
    assert bpy.ops.splat_matte.select_frames() == {"FINISHED"}
    assert BLURRED in clip.splat_matte.dropped_frames()


def test_all_dropped_is_told(clip) -> None:
    clip.splat_matte.drop(range(1, COUNT + 1))
    with pytest.raises(RuntimeError, match="All frames are dropped"):
        bpy.ops.splat_matte.export()


def test_a_text_of_somebody_else_means_no_frames() -> None:
    from_text, to_text = part("results.selection").from_text, part("results.selection").to_text
    assert from_text(to_text({7, 1, 2, 3})) == {1, 2, 3, 7}
    assert to_text({7, 1, 2, 3}) == "1-3 7"
    assert from_text("x 3-1 -5 4- 0 5-6-7 2") == {2, 4}
