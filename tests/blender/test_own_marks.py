"""Marks as the panel lists them: where they are gone to, and removed."""

from __future__ import annotations

import bpy
from conftest import part
from test_objects import add_box, add_point, editor  # noqa: F401 (fixture)
from test_prompts import SQUARE, add_mask, add_track, camera, moved, read
from test_prompts import clip as black_clip  # noqa: F401 (fixture)


def listed(clip: bpy.types.MovieClip, name: str = "Subject") -> list[tuple[int, str, str]]:
    marks = read(clip).marks
    return [(m.frame, m.kind, m.holder) for m in marks[name].listed()] if name in marks else []


def remove(name: str, frame: int, holder: str, kind: str = "include") -> set[str]:
    return bpy.ops.splat_matte.remove_mark(name=name, frame=frame, holder=holder, kind=kind)


def test_marks_are_listed_by_frame(black_clip, editor) -> None:  # noqa: F811
    add_point(black_clip, 5, (0.5, 0.5))
    with editor(2):
        add_box(2, (0.2, 0.2), (0.6, 0.8))
        bpy.ops.splat_matte.click(location=(0.1, 0.1), exclude=True)
        assert bpy.ops.splat_matte.go_to_mark(name="Subject", frame=5, holder="Include") == {"FINISHED"}
    assert [mark[:2] for mark in listed(black_clip)] == [(2, "exclude"), (2, "box"), (5, "include")]
    assert bpy.context.scene.frame_current == black_clip.frame_start + 4
    tracks = black_clip.tracking.objects["Subject"].tracks
    assert [track.name for track in tracks if track.select] == ["Include"]
    in_range = read(black_clip, frame_range=(4, 6)).marks["Subject"]
    assert [mark.frame for mark in in_range.listed()] == [5]


def test_a_mark_is_removed_alone(black_clip, editor) -> None:  # noqa: F811
    """Of an object that is not the active one, in a clip editor for masks; selection and object stay."""
    for frame in (1, 3):
        add_point(black_clip, frame, (0.5, 0.5))
    objects = black_clip.tracking.objects
    objects.active = objects.new("Hat")
    add_point(black_clip, 1, (0.2, 0.2))
    with editor():
        bpy.context.space_data.mode = "MASK"
        assert remove("Subject", 1, "Include") == {"FINISHED"}
        assert remove("Subject", 1, "Include") == {"CANCELLED"}
        assert bpy.context.space_data.mode == "MASK"
    assert listed(black_clip) == [(3, "include", "Include.001")]
    assert objects.active.name == "Hat"
    assert [track.select for track in objects["Hat"].tracks] == [True]


def test_a_key_of_a_track_is_removed_alone(black_clip, editor) -> None:  # noqa: F811
    add_track(camera(black_clip), {1: (0.2, 0.2), 4: (0.4, 0.4)})
    name = camera(black_clip).tracks[0].name
    with editor():
        remove("Camera", 1, name)
    assert listed(black_clip, "Camera") == [(4, "include", name)]


def test_a_box_is_removed_with_its_corners(black_clip, editor) -> None:  # noqa: F811
    for frame in (1, 2):
        with editor(frame):
            add_box(frame, (0.2, 0.2), (0.6, 0.8))
    with editor():
        first = black_clip.tracking.objects["Subject"].plane_tracks[0].name
        remove("Subject", 1, first, "box")
    subject = black_clip.tracking.objects["Subject"]
    assert [mark[:2] for mark in listed(black_clip)] == [(2, "box")]
    assert (len(subject.tracks), len(subject.plane_tracks)) == (4, 1)


def test_a_key_of_a_mask_is_removed_alone(black_clip, clip_editor, editor) -> None:  # noqa: F811
    """Keys of other layers on that frame stay; where it is the mode for tracking, it is so afterwards."""
    mask = add_mask(black_clip, clip_editor, "Subject", {2: [SQUARE], 7: [moved(SQUARE, 0.2)]})
    black_clip.tracking.objects.new("Subject")
    other = mask.layers.new(name="Subject (repair)")
    other.splines.new().points.add(2)
    other.splines[0].use_cyclic = True
    for point, co in zip(other.splines[0].points, SQUARE, strict=False):
        point.co = point.handle_left = point.handle_right = co
        point.select = True
    with editor(7):
        bpy.context.space_data.mode, bpy.context.space_data.mask = "MASK", mask
        mask.layers["Subject"].hide = True
        assert bpy.ops.mask.shape_key_insert() == {"FINISHED"}
        mask.layers["Subject"].hide = False
        bpy.context.space_data.mode = "TRACKING"
    part("clip.mask_keyframes").forget_shape_keys()
    assert listed(black_clip) == [(2, "mask", "Subject"), (7, "mask", "Subject (repair)")]
    with editor(3):
        assert remove("Subject", 7, "Gone", "mask") == {"CANCELLED"}
        assert remove("Subject", 7, "Subject (repair)", "mask") == {"FINISHED"}
        assert listed(black_clip) == [(2, "mask", "Subject"), (7, "mask", "Subject")], "what it stood in place of"
        assert remove("Subject", 2, "Subject", "mask") == {"FINISHED"}
        assert bpy.context.space_data.mode == "TRACKING"
        assert bpy.context.scene.frame_current == 3
    assert listed(black_clip) == [(7, "mask", "Subject")]
    assert [layer.hide for layer in mask.layers] == [False, False]


def test_a_second_box_replaces_the_first(black_clip, editor) -> None:  # noqa: F811
    with editor():
        add_box(1, (0.2, 0.2), (0.6, 0.8))
        add_box(1, (0.1, 0.1), (0.5, 0.5))
    subject = black_clip.tracking.objects["Subject"]
    assert (len(subject.tracks), len(subject.plane_tracks)) == (4, 1)
    assert round(read(black_clip).marks["Subject"].boxes[1].x0) == 16


def test_the_list_shows_what_is_near() -> None:
    marks = [part("clip.prompts").Mark(frame, "include", "Track") for frame in range(0, 100, 2)]
    nearest = part("ui.panels.marks").nearest
    assert [nearest(marks, frame) for frame in (0, 50, 98, 200)] == [0, 21, 42, 42]
    assert nearest(marks[:3], 50) == 0
