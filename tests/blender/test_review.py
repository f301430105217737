"""Suspect frames in Blender: listed, in the lane, jumped to; with the real engine."""

import json
from pathlib import Path

import bpy
import pytest
from conftest import part
from test_jobs import COUNT, clip  # noqa: F401 (fixtures)


@pytest.fixture
def reviewed(clip):  # noqa: F811
    """A tracked clip with three runs of doubtful frames in the store, as the engine would write them."""
    bpy.ops.splat_matte.track()
    take = Path(clip.splat_matte.take_of("Camera"))
    suspects = [
        {"frame": 3, "first": 3, "last": 4, "doubt": 2.5, "reason": "grows by 40% suddenly"},
        {"frame": 2, "first": 2, "last": 2, "doubt": 1.5, "reason": "the edge is uncertain"},
    ]
    (take / "suspects.json").write_text(json.dumps({"suspects": suspects}))
    clip.splat_matte.keep_suspects()
    return clip


def test_what_the_engine_doubts_is_there_after_tracking(clip) -> None:  # noqa: F811
    assert len(clip.splat_matte.suspects) == 0
    bpy.ops.splat_matte.track()
    found = part("contract.suspects").read_suspects(Path(clip.splat_matte.take_of("Camera")))
    assert part("contract.suspects").suspects_file(Path(clip.splat_matte.take_of("Camera"))).exists()
    listed = [(suspect.object_name, suspect.frame, suspect.reason) for suspect in clip.splat_matte.suspects]
    assert listed == [("Camera", suspect.frame, suspect.reason) for suspect in found]
    assert part("tasks.job_run").latest().result["suspects"] == len(found)


def test_what_it_doubts_is_said_at_the_end(clip) -> None:  # noqa: F811
    bpy.ops.splat_matte.track()
    run, outcome = part("tasks.job_run").latest(), part("operators.job_operator").outcome
    for count, words in ((0, ""), (1, "1 suspect to look at in Review"), (2, "2 suspects to look at in Review")):
        run.reply.result = run.result | {"suspects": count}
        assert outcome(run).endswith(words) and ("Review" in outcome(run)) == bool(words)


def test_a_click_in_the_list_goes_to_the_frame(reviewed) -> None:
    reviewed.frame_start = 101
    reviewed.splat_matte.suspect_index = 0
    assert bpy.context.scene.frame_current == 103
    reviewed.splat_matte.suspect_index = 1
    assert bpy.context.scene.frame_current == 102


def test_lane_and_jumps(reviewed) -> None:
    scene = bpy.context.scene
    assert part("clip.frame_status").lane_of(reviewed)["suspect"] == {2, 3, 4}
    scene.frame_set(1)
    for frame in (2, 3):
        assert bpy.ops.splat_matte.jump(kind="suspect") == {"FINISHED"}
        assert scene.frame_current == frame
    assert bpy.ops.splat_matte.jump(kind="suspect") == {"CANCELLED"}
    assert bpy.ops.splat_matte.jump(kind="suspect", backwards=True) == {"FINISHED"}
    assert scene.frame_current == 2


def test_objects_without_a_matte_have_no_suspects(reviewed) -> None:
    bpy.ops.splat_matte.switch_object(name="Camera")
    assert part("clip.frame_status").lane_of(reviewed)["suspect"] == set()
    bpy.ops.splat_matte.switch_object(name="Camera")
    assert len(part("clip.frame_status").lane_of(reviewed)["suspect"]) == COUNT - 1


def test_deleted_mattes_have_no_suspects(reviewed) -> None:
    (Path(reviewed.splat_matte.take_of("Camera")) / "suspects.json").unlink()
    reviewed.splat_matte.keep_suspects()
    assert len(reviewed.splat_matte.suspects) == 0
