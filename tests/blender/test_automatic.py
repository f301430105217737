"""Mattes without clicking, in Blender: suggestions become layers of the mask, a trainer's rough masks become mattes."""

import json
from pathlib import Path

import bpy
import numpy as np
import pytest
from conftest import part
from PIL import Image
from test_back_in_blender import editor, inside  # noqa: F401 (fixtures)
from test_jobs import COUNT, SIZE, clip  # noqa: F401 (fixtures)


def place(x: float, y: float) -> tuple[float, float]:
    return x / SIZE[0], 1 - y / SIZE[1]


def test_a_click_takes_a_suggestion(clip, editor) -> None:  # noqa: F811
    bpy.context.scene.frame_set(2)
    with editor():
        assert bpy.ops.splat_matte.suggest(location=place(40, 32)) == {"FINISHED"}, "the disc"
        assert bpy.ops.splat_matte.suggest(location=place(93, 3)) == {"CANCELLED"}, "nothing is there"
        assert bpy.ops.splat_matte.suggest(location=place(40, 32)) == {"FINISHED"}
        assert bpy.context.space_data.mode == "TRACKING"
    assert [layer.name for layer in clip.splat_matte.mask.layers] == ["Suggestion 1", "Suggestion 2"]
    assert {"Suggestion 1", "Suggestion 2"} <= {entry.name for entry in clip.splat_matte.objects}
    (file,) = Path(clip.filepath).parent.parent.rglob("suggestions*.json")
    assert json.loads(file.read_text())["frame"] == 2
    job, _ = part("clip.to_job").make_job(clip, "cpu", export=False)
    (prompt,) = next(matte_object.prompts for matte_object in job.objects if matte_object.name == "Suggestion 1")
    assert prompt.frame == 2
    plate = Path(clip.filepath).with_name("shot.0002.png")
    shape, disc = inside(prompt.mask), np.asarray(Image.open(plate).convert("L")) > 100
    assert (shape & disc).sum() / (shape | disc).sum() > 0.8


def test_transients_are_refined_shown_and_exported(clip, editor, tmp_path: Path) -> None:  # noqa: F811
    settings = clip.splat_matte
    with editor(), pytest.raises(RuntimeError, match="Rough Masks: No folder is chosen"):
        bpy.ops.splat_matte.refine_transients()
    for kind in ("masks", "diffs"):
        (tmp_path / kind).mkdir()
        setattr(settings, f"transients_{kind}", str(tmp_path / kind))
        for i in range(COUNT):
            Image.new("L", SIZE).save(tmp_path / kind / f"{i:05d}.png")
    settings.target = "t3dgs"
    with editor():
        assert bpy.ops.splat_matte.refine_transients(export=True) == {"FINISHED"}
    take = settings.take_of("transients")
    assert "transients" in part("viewer.sources").sources_of(clip, 1), "the overlay shows it"
    assert part("results.take_reader").read_logits(part("contract.layout").matte_file(Path(take), 1)).max() < 0
    (version,) = Path(take).parents[3].glob("v001")
    masks = [np.asarray(Image.open(file)) for file in sorted(version.glob("*.png"))]
    assert len(masks) == COUNT
    assert all((mask == 255).all() for mask in masks), "nothing moves: all of it is kept"
