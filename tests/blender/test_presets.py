"""Presets by Blender's own system, and the scene's frames."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest
from conftest import part
from test_jobs import clip  # noqa: F401 (fixture)

LABELS = {
    "SPLATMATTE_PT_finish_presets": "Finishing Presets",
    "SPLATMATTE_PT_export_presets": "Export Presets",
}


@pytest.fixture
def edited(clip):  # noqa: F811
    """The clip in a clip editor, where presets are added and chosen."""
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    before, area.type = area.type, "CLIP_EDITOR"
    area.spaces.active.clip = clip
    with bpy.context.temp_override(window=window, area=area, space_data=area.spaces.active):
        yield clip
    area.type = before
    for panel, label in LABELS.items():  # which Blender replaces by the name of the chosen preset
        getattr(bpy.types, panel).bl_label = label


def choose(kind: str, name: str) -> None:
    file = bpy.utils.preset_find(name, f"splat_matte/{kind}")
    assert Path(file).is_file()
    menu = {"finishing": "SPLATMATTE_PT_finish_presets", "export": "SPLATMATTE_PT_export_presets"}[kind]
    assert bpy.ops.script.execute_preset(filepath=file, menu_idname=menu) == {"FINISHED"}


def test_a_finishing_preset_is_for_any_object(edited) -> None:
    finishing = edited.splat_matte.entry("Camera").finishing
    finishing.temporal, finishing.grow, finishing.subtract = 2, -1.5, "Other"
    assert bpy.ops.splat_matte.finishing_preset(name="Tight") == {"FINISHED"}
    edited.tracking.objects.new("Lid")
    edited.tracking.objects.active = edited.tracking.objects["Lid"]
    choose("finishing", "Tight")
    lid = edited.splat_matte.objects["Lid"].finishing
    assert (lid.temporal, lid.grow, lid.subtract) == (2, -1.5, "")
    bpy.ops.splat_matte.finishing_preset(name="Tight", remove_name=True)
    assert not bpy.utils.preset_find("Tight", "splat_matte/finishing")


def test_an_export_preset_has_no_paths(edited) -> None:
    settings = edited.splat_matte
    settings.target, settings.output, settings.export_use_range = "lichtfeld", "//mine", True
    settings.ignored_band = 3
    assert bpy.ops.splat_matte.export_preset(name="LichtFeld") == {"FINISHED"}
    settings.target, settings.output, settings.export_use_range, settings.ignored_band = "postshot", "//x", False, 0
    choose("export", "LichtFeld")
    assert (settings.target, settings.ignored_band) == ("lichtfeld", 3)
    assert (settings.output, settings.export_use_range) == ("//x", False)


@pytest.mark.parametrize("kind", ["finishing", "export"])
def test_presets_have_all_values_but_names_paths_and_ranges(kind: str) -> None:
    """A new setting is in the preset, or is named here."""
    presets = part("operators.presets")
    values, group, not_in = {
        "finishing": (
            presets.SPLATMATTE_OT_finishing_preset.preset_values,
            part("settings.finishing_settings").FinishingSettings,
            {"subtract", "garbage"},
        ),
        "export": (presets.SPLATMATTE_OT_export_preset.preset_values, None, set()),
    }[kind]
    names = {value.partition(".")[2] for value in values}
    if group is not None:
        assert names == set(group.__annotations__) - not_in
    else:
        assert names <= set(part("settings.clip_settings").ClipSettings.__annotations__)


def test_the_scene_gets_the_frames_of_the_clip(clip) -> None:  # noqa: F811
    scene = bpy.context.scene
    for start in (1, 1001):
        clip.frame_start = start
        assert bpy.ops.splat_matte.set_scene_frames() == {"FINISHED"}
        assert (scene.frame_start, scene.frame_end) == (start, start + clip.frame_duration - 1)
        assert start <= scene.frame_current <= scene.frame_end
