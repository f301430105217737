"""What was found in all frames is picked by clicks, kept with the clip, shown, and exported alone."""

import os
import subprocess
from pathlib import Path

import bpy
import numpy as np
import pytest
from conftest import part
from PIL import Image
from test_back_in_blender import editor  # noqa: F401 (fixture)
from test_jobs import SIZE, clip, versions  # noqa: F401 (fixtures)

FRAMES = 2


def found(clip, kind: str, folder: Path) -> list:  # noqa: F811
    """Return the masks to pick from on frame 1; they are on disk, and Blender does not know of them yet."""
    settings = clip.splat_matte
    settings.automatic = kind
    settings.use_range, settings.range_start, settings.range_end = True, 1, FRAMES
    with pytest.raises(RuntimeError, match=r"Nothing has been found .* Find first"):
        bpy.ops.splat_matte.pick(location=(0.5, 0.5))
    job, _ = part("clip.to_job").make_automatic_job(
        clip, "auto", False, **part("settings.pick_settings").search_of(kind, ())
    )
    file = folder / "job.json"
    file.write_text(job.to_json(), encoding="utf-8")
    script = Path(__file__).with_name("find_quickly.py")
    subprocess.run([os.environ["SPLAT_MATTE_PYTHON"], str(script), str(file)], check=True)
    reply = part("tasks.job_run").request_found(clip, 1, kind)
    list(reply)
    return part("results.outlines").read_suggestions(Path(reply.result["file"]))


def places(found: list) -> dict[int, tuple[float, float]]:
    """Return where a click hits each number on frame 1; 0 stands for a place without any."""
    hit = {}
    for x in range(0, SIZE[0], 2):
        for y in range(0, SIZE[1], 2):
            i = part("results.outlines").smallest_at(found, (x + 0.5, y + 0.5))
            hit.setdefault(found[i].number if i is not None else 0, ((x + 0.5) / SIZE[0], 1 - (y + 0.5) / SIZE[1]))
    return hit


def white(clip, version: str) -> np.ndarray:  # noqa: F811
    return np.asarray(Image.open(Path(clip.filepath).parent / "shot_matte" / version / "shot.0001.png")) > 127


def test_things_are_picked_and_exported(clip, editor, tmp_path: Path) -> None:  # noqa: F811
    settings = clip.splat_matte
    settings.target = "masks"
    with editor():
        things = found(clip, "things", tmp_path)
        assert not part("viewer.sources").found_of(clip, 1)
        assert bpy.ops.splat_matte.find() == {"FINISHED"}
        assert part("viewer.sources").found_of(clip, 1).keys() >= {f"thing {thing.number}" for thing in things}, "all"
        where = places(things)
        one = max(where)
        assert one > 0, "with no thing on the frame nothing is tested"
        for location in [where[number] for number in where if number]:
            assert bpy.ops.splat_matte.pick(location=location, frame=1) == {"FINISHED"}
        assert settings.found.picked() == tuple(sorted(number for number in where if number))
        for location in [where[number] for number in where if number]:
            assert bpy.ops.splat_matte.pick(location=location, frame=1) == {"FINISHED"}
        assert not settings.found.numbers, "a second click takes it back"
        assert bpy.ops.splat_matte.pick(location=where[one], frame=1) == {"FINISHED"}
        assert (settings.found.numbers, settings.found.picked()) == (str(one), (one,))
        if 0 in where:
            assert bpy.ops.splat_matte.pick(location=where[0], frame=1) == {"CANCELLED"}
        assert list(part("viewer.sources").found_of(clip, 1)) == [f"thing {one}"], "only what is picked is shown"
        assert bpy.ops.splat_matte.find(export=True) == {"FINISHED"}
        source = part("viewer.sources").found_of(clip, 1)[f"thing {one}"]
        logits = part("viewer.sources").read(clip, 1, f"thing {one}", source)
        assert (white(clip, "v001") == (logits > 0)).mean() > 0.99
        settings.range_end = FRAMES + 1
        with pytest.raises(RuntimeError, match="subjects were picked"):
            bpy.ops.splat_matte.find(export=True)
        settings.range_end = FRAMES
        assert bpy.ops.splat_matte.clear_picked() == {"FINISHED"}
        assert not settings.found.numbers
        assert not bpy.ops.splat_matte.clear_picked.poll()
    assert versions(clip) == ["v001", "v001.json"], "nothing is half-written"


def test_parts_are_picked_before_they_are_exported(clip, editor, tmp_path: Path) -> None:  # noqa: F811
    settings = clip.splat_matte
    with editor():
        parts = found(clip, "parts", tmp_path)
        assert bpy.ops.splat_matte.find() == {"FINISHED"}
        assert not part("viewer.sources").found_of(clip, 1), "there may be hundreds"
        settings.target = "masks"
        with pytest.raises(RuntimeError, match=r"No part is picked\. Pick"):
            bpy.ops.splat_matte.find(export=True)
        settings.target = "segments"
        assert bpy.ops.splat_matte.find(export=True) == {"FINISHED"}
        where = places(parts)
        one = max(where)
        assert one > 0, "with no part on the frame nothing is tested"
        assert bpy.ops.splat_matte.pick(location=where[one]) == {"FINISHED"}
        settings.target = "masks"
        assert bpy.ops.splat_matte.find(export=True) == {"FINISHED"}
    ids = np.asarray(Image.open(Path(clip.filepath).parent / "shot_matte" / "v001" / "shot.0001.png"))
    assert (white(clip, "v002")[ids == one]).all()
    ((name, source),) = part("viewer.sources").found_of(clip, 1).items()
    assert name == f"part {one}"
    assert (white(clip, "v002") == (part("viewer.sources").read(clip, 1, name, source) > 0)).mean() > 0.99
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    kept = bpy.data.movieclips[0].splat_matte
    assert (kept.automatic, kept.found.picked(), kept.things.picked()) == ("parts", (one,), ())
