"""The zip, and what enabling and disabling it leaves behind: nothing."""

import subprocess
import sys
import zipfile
from pathlib import Path

import bpy
import pytest
from bl_operators.presets import AddPresetBase
from conftest import PACKAGE, ROOT, part


def test_the_zip_holds_what_is_needed(package: Path) -> None:
    names = set(zipfile.ZipFile(package).namelist())
    tops = {name.split("/")[0] for name in names}
    assert tops == {"__init__.py", "blender_manifest.toml", "LICENSE", "addon"}
    files = (file for file in (ROOT / "addon").rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    assert {name for name in names if name.startswith("addon/")} == {
        file.relative_to(ROOT).as_posix() for file in files
    }


def traces() -> dict[str, object]:
    """Return everything of ours that Blender knows."""
    handlers = bpy.app.handlers
    return {
        "types": sorted(name for name in dir(bpy.types) if "SPLATMATTE" in name.upper()),
        "operators": sorted(dir(bpy.ops.splat_matte)),
        "clips": "splat_matte" in bpy.types.MovieClip.bl_rna.properties,
        "handlers": [
            function.__module__
            for handler_list in (
                handlers.depsgraph_update_post,
                handlers.load_post,
                handlers.undo_post,
                handlers.redo_post,
            )
            for function in handler_list
            if function.__module__.startswith(PACKAGE)
        ],
        "menus": [
            function.__module__
            for menu in (bpy.types.CLIP_MT_track, bpy.types.CLIP_MT_tracking_context_menu)
            for function in menu._dyn_ui_initialize()
            if function.__module__.startswith(PACKAGE)
        ],
    }


def test_enabled_and_disabled_twice() -> None:
    enabled = traces()
    assert all(enabled.values())
    for _ in range(2):
        bpy.ops.preferences.addon_disable(module=PACKAGE)
        assert not any(traces().values())
        bpy.ops.preferences.addon_enable(module=PACKAGE)
        assert traces() == enabled


def test_registering_swallows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second registration is an error, and it is seen."""
    with pytest.raises(ValueError, match="already registered"):
        sys.modules[PACKAGE].register()


def test_every_button_says_what_it_does() -> None:
    inherited = {*bpy.types.Operator.bl_rna.properties.keys(), *AddPresetBase.__annotations__}
    for name in dir(bpy.ops.splat_matte):
        operator = getattr(bpy.ops.splat_matte, name).get_rna_type()
        assert len(operator.description) > 10, name
        assert not operator.description.endswith("."), name
        for shown in operator.properties:
            if shown.identifier not in inherited:
                assert shown.description, (name, shown.identifier)
                assert not shown.description.endswith("."), (name, shown.identifier)


def test_buttons_whose_tooltips_depend_on_their_settings_have_one_for_each() -> None:
    """As Blender asks for them: a method of the class, with the button's properties."""
    asked = 0
    for operator in part("registration").CLASSES:
        if "description" not in vars(operator):
            continue
        properties = bpy.context.window_manager.operator_properties_last(operator.bl_idname)
        for setting in properties.bl_rna.properties:
            choices = [item.identifier for item in setting.enum_items] if setting.type == "ENUM" else []
            for choice in choices or [False, True] * (setting.type == "BOOLEAN"):
                setattr(properties, setting.identifier, choice)
                assert isinstance(operator.description(bpy.context, properties), str), (operator, setting.identifier)
                asked += 1
            properties.property_unset(setting.identifier)
    assert asked > 20


def test_every_setting_says_what_it_does() -> None:
    inherited = set(bpy.types.PropertyGroup.bl_rna.properties.keys()) | {"name"}
    for group in (*part("settings.clip_settings").CLASSES, part("ui.preferences_panel").SPLATMATTE_AP_preferences):
        for shown in group.bl_rna.properties:
            own = shown.identifier in getattr(group, "__annotations__", {}) and shown.identifier not in inherited
            if own and shown.type not in ("COLLECTION", "POINTER"):
                assert shown.description, (group.__name__, shown.identifier)
                assert not shown.description.endswith("."), (group.__name__, shown.identifier)


def test_settings_are_saved_with_the_clip(tmp_path: Path) -> None:
    (tmp_path / "still.png").write_bytes(b"")
    clip = bpy.data.movieclips.load(str(tmp_path / "still.png"))
    clip.use_fake_user = True
    clip.splat_matte.direction = "backward"
    clip.splat_matte.mask = bpy.data.masks.new("Drawn")
    entry = clip.splat_matte.objects.add()
    entry.name, entry.use = "Person", False
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    settings = bpy.data.movieclips[0].splat_matte
    assert settings.direction == "backward"
    assert settings.mask == bpy.data.masks["Drawn"]
    assert not settings.uses("Person")
    assert settings.uses("Camera")


def test_a_range_stays_a_range(tmp_path: Path) -> None:
    (tmp_path / "still.png").write_bytes(b"")
    settings = bpy.data.movieclips.load(str(tmp_path / "still.png")).splat_matte
    settings.range_start, settings.range_end = 30, 40
    settings.range_start = 50
    assert (settings.range_start, settings.range_end) == (50, 50)
    settings.range_end = 20
    assert (settings.range_start, settings.range_end) == (20, 20)


def test_blender_never_imports_torch() -> None:
    """Every module of Blender's side is imported, already or here."""
    addon = Path(part("contract.job").__file__).parents[1]
    for file in addon.rglob("*.py"):
        inside = file.relative_to(addon)
        if inside.parts[0] != "engine" and inside.name != "__init__.py":
            part(".".join(inside.with_suffix("").parts))
    assert not {"torch", "sam2", "torchvision", "cv2"} & set(sys.modules)


def test_the_package_is_importable_without_blender() -> None:
    """The engine starts from the same folder."""
    program = "import addon, sys; assert not {'bpy', 'torch'} & set(sys.modules)"
    root = Path(part("contract.job").__file__).parents[2]
    subprocess.run([sys.executable, "-c", program], cwd=root, check=True)
