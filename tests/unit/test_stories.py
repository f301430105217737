"""A story does only what a hand can: it presses, types and drags, and reads what came of it."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from vendor_setup import gui

STORIES = Path(__file__).parents[1] / "gui"
BY_HAND = ("hand", *gui.SHORT, *gui.LONG, "stalls")


def forbidden(source: str) -> list[str]:
    """Return calls that a hand can't make: operators, context overrides, changes of Blender's data."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            if node.attr in ("ops", "temp_override"):
                found.append(f"{node.lineno}: {node.attr}")
            elif isinstance(node.ctx, ast.Store) and node.attr != "__doc__":
                found.append(f"{node.lineno}: {node.attr} = ")
            elif node.attr in ("new", "load", "remove", "add") and "bpy.data" in ast.unparse(node.value):
                found.append(f"{node.lineno}: {ast.unparse(node)}")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr":
            found.append(f"{node.lineno}: setattr")
    return found


@pytest.mark.parametrize("name", BY_HAND)
def test_a_story_is_told_by_hand(name: str) -> None:
    assert forbidden((STORIES / f"{name}.py").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "bpy.ops.splat_matte.track()",
        "with bpy.context.temp_override(area=area): pass",
        "clip.splat_matte.overlay_show = False",
        "bpy.context.scene.frame_current += 1",
        "bpy.data.movieclips.load('a.png')",
        "setattr(settings, 'live', True)",
    ],
)
def test_what_a_hand_cannot_do_is_seen(source: str) -> None:
    assert forbidden(source)


def test_only_pictures_that_the_guide_has_and_that_are_new_are_taken(tmp_path: Path) -> None:
    pictures, images = tmp_path / "pictures", tmp_path / "images"
    for folder, names in ((pictures, ("marked", "old", "failed")), (images, ("marked", "old"))):
        folder.mkdir()
        for name in names:
            (folder / f"{name}.png").write_text(folder.name, encoding="ascii")
    os.utime(pictures / "old.png", (1.0, 1.0))
    assert gui.take_anew(pictures, images, 2.0) == ["marked.png"]
    assert {file.name: file.read_text(encoding="ascii") for file in images.iterdir()} == {
        "marked.png": "pictures",
        "old.png": "images",
    }
