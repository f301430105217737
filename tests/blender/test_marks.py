"""Operators that mark tracks."""

from pathlib import Path

import bpy
import pytest
from conftest import part


@pytest.fixture
def clip(tmp_path: Path) -> bpy.types.MovieClip:
    (tmp_path / "still.png").write_bytes(b"")
    clip = bpy.data.movieclips.load(str(tmp_path / "still.png"))
    bpy.context.scene.active_clip = clip
    return clip


def add(clip: bpy.types.MovieClip, name: str, select: bool) -> bpy.types.MovieTrackingTrack:
    track = clip.tracking.objects["Camera"].tracks.new(name=name, frame=1)
    track.select = select
    return track


def excludes(track: bpy.types.MovieTrackingTrack) -> bool:
    return track.use_custom_color and part("settings.palette").excludes(track.color)


def test_selected_tracks_are_marked(clip) -> None:
    selected, other = add(clip, "A", True), add(clip, "B", False)
    assert bpy.ops.splat_matte.mark_exclude() == {"FINISHED"}
    assert excludes(selected)
    assert not other.use_custom_color
    assert bpy.ops.splat_matte.mark_include() == {"FINISHED"}
    assert selected.use_custom_color
    assert not excludes(selected)


def test_only_the_active_object(clip) -> None:
    track = add(clip, "A", True)
    clip.tracking.objects.active = clip.tracking.objects.new("Person")
    assert not bpy.ops.splat_matte.mark_exclude.poll()
    clip.tracking.objects.active = clip.tracking.objects["Camera"]
    bpy.ops.splat_matte.mark_exclude()
    assert excludes(track)


def test_nothing_selected(clip) -> None:
    add(clip, "A", False)
    assert not bpy.ops.splat_matte.mark_include.poll()


def test_in_the_editor_its_clip_counts(clip, clip_editor, tmp_path: Path) -> None:
    (tmp_path / "other.png").write_bytes(b"")
    other = bpy.data.movieclips.load(str(tmp_path / "other.png"))
    here, there = add(other, "A", True), add(clip, "A", True)
    with clip_editor():
        bpy.context.space_data.clip = other
        bpy.ops.splat_matte.mark_exclude()
    assert excludes(here)
    assert not excludes(there)
