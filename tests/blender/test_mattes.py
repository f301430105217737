"""The sources of the overlay: previews, and mattes that are found again. Drawing itself needs a window."""

import dataclasses
import json
import shutil
import sys
from pathlib import Path

import bpy
import numpy as np
from conftest import part
from test_jobs import COUNT, clip  # noqa: F401 (fixtures)


def test_preview_shows_what_tracking_makes_of_the_frame(clip, tmp_path) -> None:  # noqa: F811
    assert bpy.ops.splat_matte.preview() == {"FINISHED"}
    preview = part("viewer.previews").preview_of(clip.name, 1).logits["Camera"]
    assert part("viewer.previews").preview_of(clip.name, 2) is None
    bpy.ops.splat_matte.track()
    mattes = part("results.take_reader")
    tracked = mattes.read_logits(part("contract.layout").matte_file(Path(clip.splat_matte.take_of("Camera")), 1))
    assert np.array_equal(preview, tracked)


def test_preview_of_an_unmarked_frame_is_empty(clip) -> None:  # noqa: F811
    bpy.context.scene.frame_current = 3
    assert bpy.ops.splat_matte.preview() == {"FINISHED"}
    assert part("viewer.previews").preview_of(clip.name, 3).logits == {}


def test_a_reopened_file_finds_its_mattes(clip, tmp_path) -> None:  # noqa: F811
    bpy.ops.splat_matte.track()
    path = tmp_path / "shot.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(path))
    reopened = bpy.data.movieclips[0]
    take = reopened.splat_matte.take_of("Camera")
    assert part("results.take_reader").tracked_frames(take) == set(range(1, COUNT + 1))


def test_a_changed_marker_makes_mattes_stale(clip) -> None:  # noqa: F811
    bpy.ops.splat_matte.track()
    take = Path(clip.splat_matte.take_of("Camera"))
    coordinates = part("clip.footage").coordinates_of(clip, part("clip.footage").read_footage(clip)[0])

    def marked() -> tuple:
        return part("clip.prompts").read_prompts(clip, coordinates).marks["Camera"].prompts()

    is_made_from = part("results.take_reader").is_made_from
    assert is_made_from(take, marked())
    clip.tracking.objects["Camera"].tracks[0].markers[0].co[0] += 0.01
    assert not is_made_from(take, marked())
    clip.tracking.objects["Camera"].tracks[0].markers[0].co[0] -= 0.01


def test_every_object_has_a_colour_of_its_own(clip) -> None:  # noqa: F811
    clip.tracking.objects.new("chair")
    colours = part("ui.overlay").colours(clip)
    assert list(colours) == ["Camera", "chair"]
    assert len(set(colours.values())) == 2


def lane(clip) -> dict:  # noqa: F811
    return part("clip.frame_status").lane_of(clip)


def test_old_mattes_stay_until_each_frame_is_tracked_anew(clip) -> None:  # noqa: F811
    bpy.ops.splat_matte.track()
    settings, sources_of = clip.splat_matte, part("viewer.sources").sources_of
    old = settings.take_of("Camera")
    clip.tracking.objects["Camera"].tracks[0].markers[0].co[0] += 0.01
    new = Path(old).with_name("Camera-" + "0" * 20)  # a correction, stopped after its first frame
    (new / "matte").mkdir(parents=True)
    shutil.copy(Path(old) / "matte" / "000001.npz", new / "matte")
    summary = part("clip.summary").summary_of(clip)
    facts = {"prompts": [dataclasses.asdict(prompt) for prompt in summary.marked["Camera"]]}
    (new / "object.json").write_text(json.dumps(facts))
    settings.keep_takes({"Camera": str(new)}, settings.objects["Camera"].pictures)

    assert lane(clip)["tracked"] == {1} and lane(clip)["stale"] == set(range(2, COUNT + 1))
    assert sources_of(clip, 1)["Camera"].file.is_relative_to(new)
    assert sources_of(clip, 2)["Camera"].file.is_relative_to(old)
    overlay = part("ui.overlay")
    words = [overlay.words_of(clip, summary, sources_of(clip, i), overlay.colours(clip)) for i in (1, 2)]
    assert words[0] == {} and "changed since" in words[1]["Camera"]


def test_another_frame_offset_makes_mattes_stale(clip) -> None:  # noqa: F811
    bpy.ops.splat_matte.track()
    assert lane(clip)["tracked"] == set(range(1, COUNT + 1))
    clip.frame_offset = 1
    assert lane(clip)["tracked"] == set() and lane(clip)["stale"] == set(range(1, COUNT + 1))
    clip.frame_offset = 0
    assert lane(clip)["tracked"] == set(range(1, COUNT + 1))


def test_undo_and_redo_keep_what_was_tracked(clip) -> None:  # noqa: F811
    settings = clip.splat_matte
    bpy.ops.ed.undo_push(message="before")
    clip.tracking.objects["Camera"].tracks[0].name = "renamed"
    clip.tracking.objects["Camera"].name = "Statue"
    bpy.ops.ed.undo_push(message="rename")
    bpy.ops.splat_matte.track()
    settings.suspects.add().object_name = "Statue"
    settings.things.keep("/somewhere/things")
    take = settings.take_of("Statue")

    def check(name: str) -> None:
        clip = bpy.data.movieclips[0]
        settings = clip.splat_matte
        assert [tracking_object.name for tracking_object in clip.tracking.objects] == [name]
        assert Path(settings.take_of(name)).name == Path(take).name
        assert [suspect.object_name for suspect in settings.suspects] == [name]
        assert settings.things.folder == "/somewhere/things"
        assert lane(clip)["tracked"] == set(range(1, COUNT + 1))

    check("Statue")
    bpy.ops.ed.undo()
    check("Camera")
    bpy.ops.ed.redo()
    check("Statue")
    bpy.ops.ed.undo()
    check("Camera")


def test_a_redraw_reads_the_marks_once_and_no_json(clip) -> None:  # noqa: F811
    bpy.ops.splat_matte.track()
    overlay, summaries = part("ui.overlay"), part("clip.summary")

    def read_all() -> None:
        summary = summaries.summary_of(clip)
        sources = part("viewer.sources").sources_of(clip, 1)
        overlay.words_of(clip, summary, sources, overlay.colours(clip))
        part("clip.frame_status").lane_of(clip, summary)

    read_all()
    calls = []
    sys.setprofile(lambda frame, event, _: calls.append(frame.f_code) if event == "call" else None)
    try:
        read_all()
    finally:
        sys.setprofile(None)
    assert [code.co_name for code in calls].count("markers_of") == 1
    assert not [code for code in calls if "json" in Path(code.co_filename).parts]
