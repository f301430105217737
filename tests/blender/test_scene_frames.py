"""A clip that begins on frame 1001 of the scene: whatever the artist types or reads is counted as the timeline does."""

from pathlib import Path

import bpy
import pytest
from conftest import part
from test_jobs import COUNT, clip  # noqa: F401 (fixture)

FIRST = 1001


@pytest.fixture
def late(clip):  # noqa: F811
    clip.frame_start = FIRST
    return clip


def job_of(clip, export: bool = False):  # noqa: F811
    return part("clip.to_job").make_job(clip, "cpu", export)


def test_ranges(late) -> None:
    settings = late.splat_matte
    settings.use_range = True
    settings.scene_range_start, settings.scene_range_end = FIRST, FIRST + 2
    assert job_of(late)[0].frame_range == (1, 3)
    settings.scene_range_start = FIRST + 3
    assert settings.scene_range_end == FIRST + 3, "a range does not end before it begins"
    settings.scene_range_start = 5
    assert settings.scene_range_start == FIRST, "nothing is before the clip"
    settings.use_range = False
    settings.export_use_range = True
    settings.scene_export_start, settings.scene_export_end = FIRST + 1, FIRST + 2
    assert job_of(late, export=True)[0].delivery.frame_range == (2, 3)
    late.frame_start = 11
    assert settings.scene_export_start == 12, "a clip that is moved takes its ranges along"


def test_what_is_wrong_with_a_range(late) -> None:
    settings = late.splat_matte
    job_error = part("contract.errors").JobError
    settings.use_range = True
    settings.scene_range_start = FIRST + COUNT
    with pytest.raises(job_error, match="begins with frame 1005, the clip ends with frame 1004"):
        job_of(late)
    settings.scene_range_start, settings.scene_range_end = FIRST + 1, FIRST + 2
    ignored = part("clip.summary").summary_of(late).prompts.ignored
    assert ignored == ["Camera: 1 marked frame outside the range 1002 to 1003."]
    settings.use_range = False
    settings.export_use_range = True
    settings.scene_export_start = FIRST + COUNT
    with pytest.raises(job_error, match="begins with frame 1005, the clip ends with frame 1004"):
        job_of(late, export=True)


def test_progress(late, capfd) -> None:
    assert bpy.ops.splat_matte.track() == {"FINISHED"}
    assert f"Tracking {COUNT}/{COUNT}, frame 1004" in capfd.readouterr().out


def test_a_range_is_tracked_with_what_its_mattes_depend_on(late) -> None:
    """Mattes before a mark depend on frames after it, so the end of the range must not change them. The tooltip says
    so.
    """
    markers = late.tracking.objects["Camera"].tracks[0].markers
    markers.insert_frame(2, co=markers[0].co)
    markers.delete_frame(1)
    settings = late.splat_matte
    settings.use_range = True
    settings.scene_range_start, settings.scene_range_end = FIRST, FIRST + 1
    bpy.ops.splat_matte.track()
    assert part("clip.frame_status").lane_of(late)["tracked"] == set(range(1, COUNT + 1))
    take = part("results.take_reader")
    short = [take.read_logits(part("contract.layout").matte_file(take_of(late), frame)) for frame in (1, 2)]
    settings.use_range = False
    bpy.ops.splat_matte.track(again=True)
    for frame, before in zip((1, 2), short, strict=True):
        after = take.read_logits(part("contract.layout").matte_file(take_of(late), frame))
        assert (after == before).all(), frame
    assert "depend" in settings.bl_rna.properties["use_range"].description


def take_of(clip):  # noqa: F811
    return Path(clip.splat_matte.take_of("Camera"))


def test_what_the_engine_says(late) -> None:
    """The engine counts the clip's frames; its messages show the timeline's."""
    late.tracking.objects["Camera"].tracks[0].markers.insert_frame(3, co=(0.5, 0.5))
    late.tracking.objects["Camera"].tracks[0].markers.delete_frame(1)
    late.splat_matte.direction = "backward"
    bpy.context.scene.frame_set(FIRST + 3)
    with pytest.raises(RuntimeError, match=f"does not reach frame {FIRST + 3}"):
        bpy.ops.splat_matte.track(towards="END")
