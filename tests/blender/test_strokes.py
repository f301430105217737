"""Strokes become points: those of Blender 4.2's annotate tool in a saved .blend, in this Blender.

saved/strokes-4.2.blend holds one clip of four frames, 64 x 48 pixels, that begins on scene frame 101, and an annotation
with the layers On (two strokes on 102, one on 104), Off (two on 102, one leads out of the frame; one on 90) and Hidden.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import bpy
import numpy as np
import pytest
from conftest import part
from PIL import Image

SAVED = Path(__file__).with_name("saved") / "strokes-4.2.blend"


@pytest.fixture
def clip(tmp_path: Path) -> bpy.types.MovieClip:
    for number in range(1, 5):
        Image.new("RGB", (64, 48), (60, 60, 60)).save(tmp_path / f"shot.{number:04d}.png")
    shutil.copyfile(SAVED, tmp_path / "shot.blend")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    (clip,) = bpy.data.movieclips
    return clip


def read(clip: bpy.types.MovieClip):
    footage = part("clip.footage")
    return part("clip.prompts").read_prompts(clip, footage.coordinates_of(clip, footage.read_footage(clip)[0]))


def test_no_layer_is_chosen_by_itself(clip) -> None:
    assert read(clip).marks == {}


def test_strokes_are_points_along_them(clip) -> None:
    entry = clip.splat_matte.entry("Camera")
    entry.include_layer, entry.exclude_layer = "On", "Off"
    prompts = read(clip)
    second, last = prompts.marks["Camera"].prompts()
    assert (second.frame, last.frame) == (2, 4)
    on = np.array([(point.x, point.y) for point in second.points if point.include])
    assert np.allclose(on[:8], [(16 + 32 * (i + 0.5) / 8, 24) for i in range(8)], atol=0.02), "evenly along the line"
    assert np.allclose(on[8:], [(32, 12)]), "a dot is one point"
    off = [(point.x, point.y) for point in second.points if not point.include]
    assert max(x for x, _ in off) == pytest.approx((0.8 + 0.6 * 2.5 / 8) * 64), "what leads out of the frame ends there"
    assert {point.include for point in last.points} == {True}
    assert prompts.ignored == ["Camera: 1 stroke outside the clip."]
    entry.include_layer = "Hidden"
    assert "Camera: 1 stroke hidden." in read(clip).ignored
    entry.include_layer = "Gone"
    assert {point.include for point in read(clip).marks["Camera"].points[2]} == {False}


def test_strokes_of_a_frame_are_removed_alone(clip, clip_editor) -> None:
    clip.splat_matte.entry("Camera").include_layer = "On"
    rows = read(clip).marks["Camera"].listed()
    assert [(row.frame, row.kind, row.holder) for row in rows] == [(2, "strokes", "On"), (4, "strokes", "On")]
    with clip_editor():
        bpy.context.space_data.clip = clip
        remove = bpy.ops.splat_matte.remove_mark
        assert remove(name="Camera", frame=2, holder="On", kind="strokes") == {"FINISHED"}
        assert remove(name="Camera", frame=2, holder="Gone", kind="strokes") == {"CANCELLED"}
    assert [row.frame for row in read(clip).marks["Camera"].listed()] == [4]


def test_points_lie_at_equal_distances_in_pixels() -> None:
    sampled = part("clip.strokes").sampled
    corner = np.array([(0.1, 0.1), (0.5, 0.1), (0.5, 0.9)], np.float32)
    places = sampled(corner, np.array([2000, 1000], np.float32))
    assert len(places) == 8
    assert np.allclose(places[:4, 1], 0.1)
    assert np.allclose(places[4:, 0], 0.5)
    assert np.allclose(places[0], (0.15, 0.1))
    assert len(sampled(corner[:0], np.array([2000, 1000], np.float32))) == 0
    short = np.array([(0.1, 0.1), (0.101, 0.1)], np.float32)
    assert np.allclose(sampled(short, np.array([2000, 1000], np.float32)), [(0.1005, 0.1)])
