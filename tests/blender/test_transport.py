"""Track piece by piece, again from here, and jump; with the real engine."""

import json

import bpy
import pytest
from conftest import part
from test_jobs import COUNT, clip  # noqa: F401 (fixture)


def frames_of(clip, kind: str) -> set[int]:  # noqa: F811
    return part("clip.frame_status").lane_of(clip)[kind]


def track(towards: str, at: int, **more: object) -> set[str]:
    bpy.context.scene.frame_set(at)
    return bpy.ops.splat_matte.track(towards=towards, **more)


def test_step_by_step(clip) -> None:  # noqa: F811
    scene = bpy.context.scene
    assert track("NEXT", 1) == {"FINISHED"}
    assert frames_of(clip, "tracked") == {1, 2}
    assert scene.frame_current == 2, "as with Blender's own tracker, one goes along"
    assert track("PREVIOUS", 2) == {"FINISHED"}
    assert scene.frame_current == 1
    track("PREVIOUS", 1)
    assert scene.frame_current == 1, "there is nothing before"
    assert track("END", 3) == {"FINISHED"}
    assert frames_of(clip, "tracked") == set(range(1, COUNT + 1))
    assert scene.frame_current == 3
    take = clip.splat_matte.take_of("Camera")
    assert track("END", 3, again=True) == {"FINISHED"}
    assert clip.splat_matte.take_of("Camera") == take
    assert part("tasks.job_run").latest().progress["done"] == 2, "3 and 4 again"


def test_the_other_way(clip) -> None:  # noqa: F811
    markers = clip.tracking.objects["Camera"].tracks[0].markers
    markers.insert_frame(3, co=markers[0].co)
    markers.delete_frame(1)
    clip.frame_start = 101
    assert track("START", 103) == {"FINISHED"}
    assert frames_of(clip, "tracked") >= {1, 2, 3}
    clip.splat_matte.direction = "backward"
    with pytest.raises(RuntimeError, match="does not reach frame 104"):
        track("END", 104)


def test_jumps(clip) -> None:  # noqa: F811
    markers = clip.tracking.objects["Camera"].tracks[0].markers
    markers.insert_frame(3, co=markers[0].co)
    scene = bpy.context.scene
    scene.frame_set(1)

    def jump(kind: str, backwards: bool = False) -> int:
        bpy.ops.splat_matte.jump(kind=kind, backwards=backwards)
        return int(scene.frame_current)

    assert jump("prompted") == 3
    assert jump("prompted") == 3, "it was the last"
    assert jump("prompted", True) == 1
    assert bpy.ops.splat_matte.export() == {"FINISHED"}
    assert jump("tracked") == COUNT, "the end of what is tracked"
    assert jump("exported", True) == 1
    assert frames_of(clip, "stale") == set()
    markers[0].co[0] += 0.01
    assert frames_of(clip, "stale") == set(range(1, COUNT + 1))
    assert frames_of(clip, "tracked") == set()
    assert jump("stale") == COUNT


def test_exported_frames_are_those_of_the_latest_version(tmp_path) -> None:
    exported_frames = part("results.take_reader").exported_frames
    assert exported_frames(tmp_path / "none") == set()
    assert exported_frames(tmp_path) == set()
    for name, frames in (("v001", [1, 2, 3]), ("v010", [2])):
        (tmp_path / name).mkdir()
        made_from = {str(frame): "x" for frame in frames}
        (tmp_path / f"{name}.json").write_text(json.dumps({"report": {"export": {"made_from": made_from}}}))
        assert exported_frames(tmp_path) == set(frames)
    (tmp_path / "v011.json").write_text("broken")
    assert exported_frames(tmp_path) == {2}, "a version is there with its folder"
    (tmp_path / "v011").mkdir()
    assert exported_frames(tmp_path) == set()


def test_no_key_is_taken_twice() -> None:
    keys = part("ui.menus").KEYS
    pressed = [(key.type, key.shift, key.ctrl, key.alt, key.value) for key in keys]
    assert len(set(pressed)) == len(pressed)
    for key in keys:
        group, name = key.operator.split(".")
        known = getattr(getattr(bpy.ops, group), name).get_rna_type().properties
        assert set(key.properties) <= set(known.keys())


def test_keys_of_the_version_before_are_as_they_were() -> None:
    """Blender keeps a changed key as the item that it was and the item that it is: the first has to be there."""
    before = [
        ("mark_include", "I", "shift alt", {}),
        ("mark_exclude", "X", "shift alt", {}),
        ("click", "LEFTMOUSE", "ctrl alt CLICK", {"at_mouse": True}),
        ("click", "LEFTMOUSE", "shift ctrl", {"exclude": True, "at_mouse": True}),
        ("wipe", "W", "shift alt", {}),
        ("track", "COMMA", "alt", {"towards": "PREVIOUS"}),
        ("track", "PERIOD", "alt", {"towards": "NEXT"}),
        ("track", "COMMA", "shift alt", {"towards": "START"}),
        ("track", "PERIOD", "shift alt", {"towards": "END"}),
        ("jump", "PAGE_UP", "alt", {"kind": "prompted", "backwards": True}),
        ("jump", "PAGE_DOWN", "alt", {"kind": "prompted"}),
        ("jump", "PAGE_UP", "shift", {"kind": "stale", "backwards": True}),
        ("jump", "PAGE_DOWN", "shift", {"kind": "stale"}),
        ("jump", "PAGE_UP", "shift alt", {"kind": "suspect", "backwards": True}),
        ("jump", "PAGE_DOWN", "shift alt", {"kind": "suspect"}),
    ]
    now = [
        (
            key.operator.removeprefix("splat_matte."),
            key.type,
            " ".join(
                [name for name in ("shift", "ctrl", "alt") if getattr(key, name)] + [key.value] * (key.value != "PRESS")
            ),
            key.properties,
        )
        for key in part("ui.menus").KEYS
    ]
    assert [key for key in before if key not in now] == []
