"""Objects in the clip editor: from tracks, boxes, clicks, switches; renamed, they keep what is theirs."""

from pathlib import Path

import bpy
import numpy as np
import pytest
from conftest import part
from test_jobs import COUNT, clip  # noqa: F401 (fixture)
from test_prompts import add_track, camera, read
from test_prompts import clip as black_clip  # noqa: F401 (fixture)


@pytest.fixture
def editor(black_clip, clip_editor):  # noqa: F811
    """A context override: a clip editor that shows the clip."""
    bpy.context.scene.active_clip = black_clip

    def override(frame: int = 1):
        with clip_editor():
            bpy.context.space_data.clip = black_clip
            bpy.context.scene.frame_set(frame)
            bpy.context.space_data.clip_user.frame_current = frame
        return clip_editor()

    return override


def add_box(frame: int, *corners: tuple[float, float]) -> None:
    """Add a box by the function that the tool calls after a drag, in the editor of the context."""
    part("clip.marks").add_box(bpy.context.space_data, frame, corners)


def add_point(to: bpy.types.MovieClip, frame: int, place: tuple[float, float]) -> None:
    part("clip.marks").add_point(to, frame, place, include=True)


@pytest.mark.parametrize("mode", ["TRACKING", "MASK"])
def test_two_corners_make_a_box(black_clip, editor, mode: str) -> None:  # noqa: F811
    with editor(4):
        bpy.context.space_data.mode = mode
        add_box(4, (0.2, 0.9), (0.7, 0.3))
        assert bpy.context.space_data.mode == mode
    prompts = read(black_clip)
    box = prompts.marks["Subject"].boxes[4]
    assert [round(side, 2) for side in (box.x0, box.y0, box.x1, box.y1)] == [32, 9, 112, 63]
    assert prompts.in_words() == "1 object, 1 box on 1 frame", "what it was made from lies on its corners"
    assert prompts.ignored == []


def test_a_box_leaves_points_alone(black_clip, editor) -> None:  # noqa: F811
    for place in ((0.4, 0.2), (0.2, 0.5), (0.6, 0.5), (0.4, 0.8)):
        add_point(black_clip, 1, place)
    with editor():
        add_box(1, (0.2, 0.2), (0.6, 0.8))
    assert read(black_clip).in_words() == "1 object, 4 points, 1 box on 1 frame"


def test_a_click_is_a_marker(black_clip, editor) -> None:  # noqa: F811
    with editor(3):
        assert bpy.ops.splat_matte.click(location=(0.25, 0.5)) == {"FINISHED"}
        assert bpy.ops.splat_matte.click(location=(0.5, 0.5), exclude=True) == {"FINISHED"}
        bpy.ops.splat_matte.click(location=(1.5, 0.5))
    points = read(black_clip).marks["Subject"].points
    assert [(point.x, point.y, point.include) for point in points[3]] == [(40, 45, True), (80, 45, False)]
    assert [track.select for track in black_clip.tracking.objects["Subject"].tracks] == [False, True]


def test_blenders_own_object_is_used_where_it_is_in_use(black_clip) -> None:  # noqa: F811
    objects = black_clip.tracking.objects
    add_track(camera(black_clip), {1: (0.2, 0.2)})
    add_point(black_clip, 1, (0.5, 0.5))
    assert [tracked.name for tracked in objects] == ["Camera"]
    objects.new("Hat")
    objects.active = objects["Hat"]
    add_point(black_clip, 1, (0.5, 0.5))
    assert [len(tracked.tracks) for tracked in objects] == [2, 1]


def test_which_object_is_there(black_clip) -> None:  # noqa: F811
    object_at = part("viewer.object_at").object_at
    add_point(black_clip, 1, (0.25, 0.5))
    objects = black_clip.tracking.objects
    objects.active = objects.new("Hat")
    add_point(black_clip, 1, (0.75, 0.5))
    add_point(black_clip, 2, (0.5, 0.5))
    assert [object_at(black_clip, 1, place) for place in ((0.25, 0.5), (0.755, 0.5), (0.5, 0.5))] == [
        "Subject",
        "Hat",
        "",
    ]
    logits = {"Subject": np.full((8, 16), 1.0, np.float32), "Hat": np.full((8, 16), -1.0, np.float32)}
    logits["Hat"][:2, :8] = 1.0  # at the top left
    previews = part("viewer.previews")
    previews._previews[black_clip.name, 1] = previews.Preview(1, logits)
    try:
        places = (0.4, 0.9), (0.4, 0.1), (0.6, 0.9)
        assert [object_at(black_clip, 1, place) for place in places] == ["Hat", "Subject", "Subject"]
        black_clip.splat_matte.entry("Subject").hide = True
        assert [object_at(black_clip, 1, place) for place in places] == ["Hat", "", ""]
    finally:
        previews.forget()


def test_tracks_become_an_object(black_clip, editor) -> None:  # noqa: F811
    stays = add_track(camera(black_clip), {1: (0.1, 0.1)}).name
    add_track(camera(black_clip), {1: (0.5, 0.5), 5: (0.6, 0.5)}, select=True, use_custom_color=True, color=(1, 0, 0))
    camera(black_clip).tracks[stays].select = False
    with editor():
        assert bpy.ops.splat_matte.object_from_tracks() == {"FINISHED"}
        assert black_clip.tracking.objects.active.name == "Object"
    marks = read(black_clip).marks
    assert [(frame, len(placed)) for frame, placed in marks["Camera"].points.items()] == [(1, 1)]
    assert {frame: [point.include for point in points] for frame, points in marks["Object"].points.items()} == {
        1: [False],
        5: [False],
    }
    assert "Object" in black_clip.splat_matte.objects


def test_switches(black_clip) -> None:  # noqa: F811
    bpy.context.scene.active_clip = black_clip
    other = black_clip.tracking.objects.new("Hat")
    for tracking_object in (camera(black_clip), other):
        add_track(tracking_object, {1: (0.5, 0.5)})
    settings = black_clip.splat_matte

    def switch(name: str, what: str) -> None:
        assert bpy.ops.splat_matte.switch_object(name=name, what=what) == {"FINISHED"}

    def shown() -> list[str]:
        return [name for name in ("Camera", "Hat") if settings.shows(name)]

    assert shown() == ["Camera", "Hat"]
    switch("Hat", "hide")
    assert shown() == ["Camera"]
    switch("Hat", "solo")
    assert shown() == ["Hat"]
    switch("Hat", "solo")
    switch("Hat", "export")
    job, _ = part("clip.to_job").make_job(black_clip, "cpu", export=True)
    assert [(matte_object.name, matte_object.export) for matte_object in job.objects] == [
        ("Camera", True),
        ("Hat", False),
    ]
    switch("Camera", "export")
    with pytest.raises(part("contract.errors").JobError, match="No object is in the export"):
        part("clip.to_job").make_job(black_clip, "cpu", export=True)
    colours = part("ui.overlay").colours(black_clip)
    assert colours["Camera"] != colours["Hat"]
    settings.objects["Hat"].colour = (1, 0, 1)
    assert part("ui.overlay").colours(black_clip)["Hat"] == (1, 0, 1)


@pytest.mark.parametrize(
    ("before", "now", "pairs"),
    [
        (["Camera", "a"], ["Camera", "b"], [("a", "b")]),
        (["a", "b"], ["b", "a"], []),
        (["a", "b"], ["c", "b"], [("a", "c")]),
        (["a", "b"], ["b"], []),
        (["a"], ["a", "b"], []),
        ([], [], []),
    ],
)
def test_what_counts_as_renamed(before: list[str], now: list[str], pairs: list[tuple[str, str]]) -> None:
    assert part("clip.names").renamed(before, now) == pairs


def test_a_renamed_object_keeps_its_settings_and_mattes(clip) -> None:  # noqa: F811
    objects = clip.tracking.objects
    person = objects.new("Person")
    person.tracks.new(name="On", frame=1).markers.insert_frame(1, co=(0.4, 0.5))
    settings = clip.splat_matte
    settings.entry("Camera").use = False
    assert bpy.ops.splat_matte.track() == {"FINISHED"}
    settings.entry("Person").colour = (1, 0, 1)
    settings.entry("Camera").finishing.subtract = "Person"
    take = Path(settings.take_of("Person"))
    objects["Person"].name = "Actor"
    follow_names = part("clip.names").follow_names
    follow_names(clip)
    assert tuple(settings.entry("Actor").colour) == (1, 0, 1)
    assert "Person" not in settings.objects
    assert settings.entry("Camera").finishing.subtract == "Actor"
    assert part("clip.frame_status").lane_of(clip)["tracked"] == set(range(1, COUNT + 1))
    assert bpy.ops.splat_matte.track() == {"FINISHED"}
    run = part("tasks.job_run").latest()
    assert run.progress is None, "nothing is tracked, not even a model loaded"
    renamed = Path(settings.take_of("Actor"))
    assert renamed.name.startswith("Actor-")
    assert not take.exists()
    assert part("clip.frame_status").lane_of(clip)["tracked"] == set(range(1, COUNT + 1))
    objects["Actor"].name = "Person"  # and back, as undo does it
    follow_names(clip)
    bpy.ops.splat_matte.track()
    assert Path(settings.take_of("Person")) == take


def test_tracks_that_hold_blenders_own_plane_are_no_points(black_clip, editor) -> None:  # noqa: F811
    for place in ((0.2, 0.3), (0.6, 0.3), (0.6, 0.8), (0.2, 0.8)):
        add_track(camera(black_clip), {1: place}, select=True)
    add_track(camera(black_clip), {1: (0.4, 0.5)}, select=False)
    with editor():
        bpy.ops.clip.create_plane_track()
    assert read(black_clip).in_words() == "1 object, 1 point, 1 box on 1 frame"


def test_a_box_moved_by_hand_stays_a_box(black_clip, editor) -> None:  # noqa: F811
    with editor():
        add_box(1, (0.2, 0.9), (0.7, 0.3))
    marker = black_clip.tracking.objects["Subject"].plane_tracks[0].markers[0]
    corners = [list(corner) for corner in marker.corners]
    corners[0][0] -= 0.05
    marker.corners = corners
    assert read(black_clip).in_words() == "1 object, 1 box on 1 frame"
