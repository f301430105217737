"""Mattes without clicking, in Blender: suggestions become layers of the mask, a trainer's rough masks become mattes."""

import json
from pathlib import Path

import bpy
import numpy as np
import pytest
from conftest import part
from PIL import Image
from test_back_in_blender import editor, inside  # noqa: F401 (fixtures)
from test_jobs import COUNT, SIZE, clip, engine_python, own_engine  # noqa: F401 (fixtures)


def square(x: int, y: int, width: int, height: int) -> list[tuple[float, float]]:
    """An outline with a point a pixel, as the engine's have many."""
    across, down = np.arange(width), np.arange(height)
    sides = [(x + across, y + 0 * across), (x + width + 0 * down, y + down)]
    sides += [(x + width - across, y + height + 0 * across), (x + 0 * down, y + height - down)]
    return [(float(u), float(v)) for us, vs in sides for u, v in zip(us, vs, strict=True)]


WHOLE, PART = (10, 10, 80, 40), (20, 20, 20, 20)


@pytest.fixture
def answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's answer, of a network that knows more than the tests' random weights do."""
    file = tmp_path / "suggestions.json"
    masks = [
        {"number": 1, "area": 3200.0, "paths": [square(*WHOLE)]},
        {"number": 2, "area": 400.0, "paths": [square(*PART)]},
    ]
    file.write_text(json.dumps({"frame": 2, "masks": masks}))

    def request(*_: object) -> object:
        reply = part("engine_client").Reply()
        reply.put({"id": 1, "event": "done", "file": str(file)})
        return reply

    monkeypatch.setattr(part("operators.running"), "request_suggestions", request)


def place(x: float, y: float) -> tuple[float, float]:
    return x / SIZE[0], 1 - y / SIZE[1]


def test_a_click_takes_the_smallest_suggestion(clip, editor, answer: None) -> None:  # noqa: F811
    bpy.context.scene.frame_set(2)
    with editor():
        assert bpy.ops.splat_matte.suggest(location=place(30, 30)) == {"FINISHED"}
        assert bpy.ops.splat_matte.suggest(location=place(15, 15)) == {"FINISHED"}
        assert bpy.ops.splat_matte.suggest(location=place(95, 55)) == {"CANCELLED"}
        assert bpy.context.space_data.mode == "TRACKING"
    assert [each.name for each in clip.splat_matte.mask.layers] == ["Suggestion 1", "Suggestion 2"]
    assert {"Suggestion 1", "Suggestion 2"} <= {each.name for each in clip.splat_matte.objects}
    job, _ = part("clip.to_job").make_job(clip, "cpu", export=False)
    prompts = {each.name: each.prompts for each in job.objects}
    for name, (x, y, width, height) in (("Suggestion 1", PART), ("Suggestion 2", WHOLE)):
        (prompt,) = prompts[name]
        assert prompt.frame == 2
        shape, wanted = inside(prompt.mask), np.zeros(SIZE[::-1], bool)
        wanted[y : y + height, x : x + width] = True
        assert (shape & wanted).sum() / (shape | wanted).sum() > 0.8


def test_the_engine_is_asked(clip, editor, own_engine) -> None:  # noqa: F811
    """By the real process; random weights suggest nothing that is good enough."""
    with editor():
        assert bpy.ops.splat_matte.suggest(location=place(30, 30)) <= {"FINISHED", "CANCELLED"}
    (file,) = Path(clip.filepath).parent.parent.rglob("suggestions*.json")
    assert json.loads(file.read_text())["frame"] == 1


def test_transients_are_refined_shown_and_exported(clip, editor, own_engine, tmp_path: Path) -> None:  # noqa: F811
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
    assert "transients" in part("shown").sources_of(clip, 1), "the overlay shows it"
    assert part("mattes").read_logits(part("mattes").matte_file(Path(take), 1)).max() < 0
    (version,) = Path(take).parents[3].glob("v001")
    masks = [np.asarray(Image.open(each)) for each in sorted(version.glob("*.png"))]
    assert len(masks) == COUNT
    assert all((each == 255).all() for each in masks), "nothing moves: all of it is kept"
