"""Hold and From Here On: frames keep their mattes while others are tracked again; with the real engine."""

from pathlib import Path

import bpy
import pytest
from conftest import part
from test_jobs import COUNT, clip  # noqa: F401 (fixture)


def lane(clip, kind: str) -> set[int]:  # noqa: F811
    return part("clip.frame_status").lane_of(clip)[kind]


def logits(clip, frame: int) -> bytes:  # noqa: F811
    take = Path(clip.splat_matte.take_of("Camera"))
    return part("results.take_reader").read_logits(part("contract.layout").matte_file(take, frame)).tobytes()


def mark(clip, frame: int) -> None:  # noqa: F811
    """Exclude a corner of the subject."""
    track = clip.tracking.objects["Camera"].tracks.new(name="Wrong", frame=frame)
    track.use_custom_color, track.color = True, (1.0, 0.0, 0.0)
    markers = track.markers
    markers.insert_frame(frame, co=(0.45, 0.5))
    for other in [marker.frame for marker in markers if marker.frame != frame]:
        markers.delete_frame(other)


def test_held_frames_keep_their_mattes(clip) -> None:  # noqa: F811
    settings = clip.splat_matte
    assert not bpy.ops.splat_matte.hold.poll()
    bpy.ops.splat_matte.track()
    before = {frame: logits(clip, frame) for frame in range(1, COUNT + 1)}
    first = settings.take_of("Camera")
    settings.hold_start, settings.hold_end = 2, 99
    settings.hold_start, settings.hold_end = 4, 2
    assert settings.hold_start == 2, "one end takes the other along"
    assert bpy.ops.splat_matte.hold() == {"FINISHED"}
    (run,) = settings.objects["Camera"].held_runs()
    assert (run.first, run.last) == (2, 2)
    assert first.endswith(run.take)
    assert lane(clip, "held") == {2}
    assert lane(clip, "stale") == set(), "holding changes no matte"
    mark(clip, 4)
    bpy.ops.splat_matte.track()
    assert settings.take_of("Camera") != first
    assert [logits(clip, frame) == before[frame] for frame in (2, 3, 4)] == [True, False, False]
    bpy.ops.splat_matte.release(name="Camera", first=2)
    assert lane(clip, "held") == set()
    assert lane(clip, "stale") == set(range(1, COUNT + 1)), "the take holds what is no longer held"


def test_from_here_on_tracks_from_there(clip) -> None:  # noqa: F811
    scene = bpy.context.scene
    bpy.ops.splat_matte.track()
    before = {frame: logits(clip, frame) for frame in range(1, COUNT + 1)}
    scene.frame_set(3)
    with pytest.raises(RuntimeError, match="Nothing is marked on frame 3"):
        bpy.ops.splat_matte.from_here_on()
    assert not clip.splat_matte.objects["Camera"].held
    mark(clip, 3)
    assert bpy.ops.splat_matte.from_here_on() == {"FINISHED"}
    assert part("tasks.job_run").latest().progress["total"] == 2, "3 and 4 alone"
    assert [logits(clip, frame) == before[frame] for frame in (1, 2, 3, 4)] == [True, True, False, False]
    assert lane(clip, "held") == {1, 2}
    clip.splat_matte.direction = "backward"
    with pytest.raises(RuntimeError, match="direction is Backward"):
        bpy.ops.splat_matte.from_here_on()


def test_what_can_not_be_held_is_said(clip) -> None:  # noqa: F811
    bpy.context.scene.frame_set(1)
    bpy.ops.splat_matte.track(towards="NEXT")
    clip.frame_start = 101
    settings = clip.splat_matte
    settings.hold_start, settings.hold_end = 1, COUNT
    settings.hold_end = COUNT
    with pytest.raises(RuntimeError, match="Frame 103 of Camera has no matte to hold"):
        bpy.ops.splat_matte.hold()
    assert not settings.objects["Camera"].held
    bpy.context.scene.frame_set(101)
    with pytest.raises(RuntimeError, match="No frame before 101 is marked"):
        bpy.ops.splat_matte.from_here_on()
