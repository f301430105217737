"""A .blend that the extension's first version saved in Blender 4.2: everything is in place in this one.

saved/blender-4.2.blend holds one clip of six frames, shot.0001.png to shot.0006.png beside it, 64 x 48 pixels, that
begins on scene frame 1001; saved/blender-4.2.json is its Job.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import bpy
import pytest
from conftest import part
from PIL import Image

SAVED = Path(__file__).with_name("saved") / "blender-4.2.blend"
JOB = SAVED.with_suffix(".json")  # what that version made of it
SETTINGS = {
    "tracked_step": 5,
    "panorama": False,
    "overlay_show": False,
    "overlay_style": "fill",
    "overlay_opacity": 0.25,
    "overlay_wipe": True,
    "overlay_split": 0.75,
    "overlay_lane": False,
    "checkpoint": "FILE",
    "checkpoint_file": "//weights.pt",
    "checkpoint_config": "//weights.yaml",
    "direction": "backward",
    "use_range": True,
    "range_start": 2,
    "range_end": 5,
    "target": "nerfstudio",
    "refine": "filter",
    "invert": True,
    "transforms": "//transforms.json",
    "plate_alpha": "multiply",
    "export_scope": "changed",
    "export_into": "latest",
    "export_use_range": True,
    "export_start": 3,
    "export_end": 4,
    "automatic": "parts",
    "transients_masks": "//masks",
    "transients_diffs": "//diffs",
    "transients_polarity": "black",
    "output": "//mattes",
    "poses": "//poses.json",
}


@pytest.fixture
def clip(tmp_path: Path) -> bpy.types.MovieClip:
    for number in range(1, 7):
        Image.new("RGB", (64, 48), (20 * number, 90, 40)).save(tmp_path / f"shot.{number:04d}.png")
    shutil.copyfile(SAVED, tmp_path / "shot.blend")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    (clip,) = bpy.data.movieclips
    return clip


def test_settings_are_as_they_were_left(clip: bpy.types.MovieClip) -> None:
    settings = clip.splat_matte
    assert {name: getattr(settings, name) for name in SETTINGS} == SETTINGS
    assert [(entry.name, entry.use, entry.export) for entry in settings.objects] == [
        ("Camera", True, True),
        ("Person", True, False),
        ("Helper", True, True),
        ("Unused", False, True),
    ]
    camera = settings.objects["Camera"]
    assert tuple(camera.colour) == (0.25, 0.5, 0.75)
    assert camera.hide
    assert (settings.things.folder, settings.things.numbers) == ("abc", "1 3")
    assert (settings.parts.folder, settings.parts.numbers) == ("def", "2")
    assert settings.mask == bpy.data.masks["Drawn"]
    assert camera.finishing.garbage == bpy.data.masks["Garbage"]


def test_nothing_of_it_starts_by_itself(clip: bpy.types.MovieClip) -> None:
    assert not clip.splat_matte.live
    assert part("tasks.job_run").latest() is None


def test_it_makes_the_same_job(clip: bpy.types.MovieClip, tmp_path: Path) -> None:
    """As the version made it that saved the file; only the footage's folder is another one."""
    clip.splat_matte.checkpoint = "embedded"
    job, _ = part("clip.to_job").make_job(clip, "cpu", export=True)
    fields = json.loads(JOB.read_text(encoding="utf-8"))
    for field in ("output", "transforms"):
        fields[field] = str(tmp_path / fields[field])
    fields["footage"]["files"] = [str(tmp_path / name) for name in fields["footage"]["files"]]
    assert job == part("contract.job").Job.from_json(json.dumps(fields))
