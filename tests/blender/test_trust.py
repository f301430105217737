"""A .blend from somebody else can't confirm files, and starts nothing when it is opened."""

from pathlib import Path

import bpy
import pytest
from conftest import PACKAGE, part
from test_jobs import clip  # noqa: F401 (fixtures)


@pytest.fixture
def own_checkpoint(clip, tmp_path) -> Path:  # noqa: F811
    """A checkpoint of unknown origin, chosen in the clip."""
    file = tmp_path / "own.pt"
    file.write_bytes(b"weights")
    clip.splat_matte.checkpoint, clip.splat_matte.checkpoint_file = "FILE", str(file)
    clip.splat_matte.checkpoint_config = "configs/sam2.1/sam2.1_hiera_t.yaml"
    yield file
    bpy.context.preferences.addons[PACKAGE].preferences.trusted = ""


def model_of(clip):  # noqa: F811
    job, _ = part("clip.to_job").make_job(clip, "cpu", export=False)
    return job.model


def test_the_person_says_yes_to_what_is_in_a_file(clip, own_checkpoint, clip_editor) -> None:  # noqa: F811
    assert not model_of(clip).trust
    with clip_editor():
        bpy.context.space_data.clip = clip
        assert bpy.ops.splat_matte.trust_file() == {"FINISHED"}
    assert model_of(clip).trust
    own_checkpoint.write_bytes(b"others!")
    assert not model_of(clip).trust, "the yes is to what was in it"
    own_checkpoint.write_bytes(b"weights")
    assert model_of(clip).trust


def test_a_config_wants_its_own_yes(clip, own_checkpoint, tmp_path) -> None:  # noqa: F811
    trusted = part("settings.trusted_files")
    trusted.trust(own_checkpoint)
    assert model_of(clip).trust
    config = tmp_path / "own.yaml"
    config.write_text("model: {}\n")
    clip.splat_matte.checkpoint_config = str(config)
    assert not model_of(clip).trust
    trusted.trust(config)
    assert model_of(clip).trust


def test_a_yes_that_a_blend_carries_counts_for_nothing(clip, own_checkpoint, tmp_path) -> None:  # noqa: F811
    saved_yes = clip.splat_matte
    if bpy.app.version >= (5, 0):
        saved_yes.bl_system_properties_get(do_create=True)["checkpoint_trust"] = True
    else:
        saved_yes["checkpoint_trust"] = True
    path = tmp_path / "foreign.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.open_mainfile(filepath=str(path))
    assert not model_of(bpy.data.movieclips[0]).trust


def test_live_is_off_in_a_file_that_was_opened(clip, tmp_path) -> None:  # noqa: F811
    clip.splat_matte.live = True
    assert clip.splat_matte.live
    path = tmp_path / "shot.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.open_mainfile(filepath=str(path))
    assert not bpy.data.movieclips[0].splat_matte.live


def test_finishing_in_a_file_that_was_opened_waits_for_the_artist(clip, tmp_path) -> None:  # noqa: F811
    clip.splat_matte.entry("Camera").finishing.grow = 3
    path = tmp_path / "shot.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.open_mainfile(filepath=str(path))
    opened = bpy.data.movieclips[0]
    has_acted = part("viewer.finished_mattes")._has_acted
    assert not has_acted(opened) and not has_acted(opened)
    opened.splat_matte.objects["Camera"].finishing.grow = 4
    assert has_acted(opened)
