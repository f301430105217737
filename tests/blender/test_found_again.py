"""Footage that moved, clips side by side: mattes are found again and never mixed up."""

import shutil
from pathlib import Path

import bpy
import pytest
from conftest import part
from test_jobs import COUNT, clip  # noqa: F401 (fixture)

EVERY = set(range(1, COUNT + 1))


def tracked(clip) -> set[int]:  # noqa: F811
    return part("clip.frame_status").lane_of(clip)["tracked"]


@pytest.mark.parametrize("where", ["beside the .blend", "anywhere"])
def test_moved_footage_brings_its_mattes(clip, tmp_path: Path, where: str) -> None:  # noqa: F811
    assert bpy.ops.splat_matte.track() == {"FINISHED"}
    old, new = Path(clip.filepath).parent, tmp_path / "moved" / "shots"
    shutil.copytree(old, new / old.name)  # keeps times, as moving does
    shutil.rmtree(old)
    if where == "beside the .blend":
        bpy.ops.wm.save_as_mainfile(filepath=str(new / "shot.blend"))
        clip = bpy.data.movieclips[0]
        bpy.context.scene.active_clip = clip
        assert bpy.ops.splat_matte.find_footage() == {"FINISHED"}
    else:
        with pytest.raises(RuntimeError, match=r"shot\.0001\.png is not in a folder near"):
            bpy.ops.splat_matte.find_footage()
        assert bpy.ops.splat_matte.find_footage(directory=str(tmp_path)) == {"FINISHED"}
    assert Path(bpy.path.abspath(clip.filepath)) == new / old.name / "shot.0001.png"
    assert tracked(clip) == EVERY
    assert bpy.ops.splat_matte.track() == {"FINISHED"}
    assert part("tasks.job_run").latest().progress is None, "nothing is tracked again"


def test_footage_that_is_nowhere_is_said_to_be(clip, tmp_path: Path) -> None:  # noqa: F811
    before = clip.filepath
    shutil.rmtree(Path(clip.filepath).parent)
    (tmp_path / "empty").mkdir()
    with pytest.raises(RuntimeError, match=r"is not in .*empty"):
        bpy.ops.splat_matte.find_footage(directory=str(tmp_path / "empty"))
    assert clip.filepath == before


def test_two_clips_are_two(clip, tmp_path: Path) -> None:  # noqa: F811
    """Two clips of the same footage, with an object of the same name but different marks, keep their own mattes."""
    twin = clip.copy()
    twin.use_fake_user = True
    clip.tracking.objects["Camera"].tracks[0].markers[0].co[0] -= 0.05
    settings = part("settings.clip_settings").settings_of
    bpy.ops.splat_matte.track(clip=clip.name)
    assert tracked(clip) == EVERY
    assert not tracked(twin)
    assert part("viewer.sources").sources_of(twin, 1) == {}
    bpy.ops.splat_matte.track(clip=twin.name)
    takes = [settings(movie_clip).take_of("Camera") for movie_clip in (clip, twin)]
    assert takes[0] != takes[1]
    assert [tracked(movie_clip) for movie_clip in (clip, twin)] == [EVERY, EVERY]
    bpy.context.scene.active_clip = clip
    bpy.ops.splat_matte.preview()
    assert part("viewer.previews").preview_of(twin.name, 1) is None


def test_undo_brings_mattes_back(clip) -> None:  # noqa: F811
    """Prompts are markers: undone, the mattes from before are found, without tracking."""
    bpy.ops.splat_matte.track()
    before = clip.splat_matte.take_of("Camera")
    marker = clip.tracking.objects["Camera"].tracks[0].markers[0]
    place = marker.co[:]
    marker.co = (0.1, 0.1)
    bpy.ops.splat_matte.track()
    assert clip.splat_matte.take_of("Camera") != before
    marker.co = place
    assert bpy.ops.splat_matte.track() == {"FINISHED"}
    assert part("tasks.job_run").latest().progress is None
    assert clip.splat_matte.take_of("Camera") == before


def test_mattes_may_lie_beside_the_footages_folder(clip, tmp_path: Path) -> None:  # noqa: F811
    def folder() -> Path:
        job, _ = part("clip.to_job").make_job(clip, "cpu", export=False)
        assert part("clip.footage").matte_folder(clip, job.footage) == job.matte_folder
        return job.matte_folder

    images = Path(clip.filepath).parent
    assert folder() == images / "shot_matte"
    clip.splat_matte.beside = True
    assert folder() == images.with_name(f"{images.name}_shot_matte")
    clip.splat_matte.output = str(tmp_path / "own")
    assert folder() == tmp_path / "own"
