"""docs/architecture.md speaks of what is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:\w+/)+(?:\w+(?:\.\w+)*)?)`", TEXT)))


def has(tree: ast.AST, names: list[str]) -> bool:
    """Whether a function, class or assigned name is there, and in it the next one."""
    if not names:
        return True
    for node in getattr(tree, "body", []):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == names[0]:
            return has(node, names[1:])
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == names[0] for target in targets):
                return True
    return False


def test_some_are_found() -> None:
    assert len(NAMED) > 40


@pytest.mark.parametrize("name", NAMED)
def test_it_exists(name: str) -> None:
    if name.startswith(("tests/", "addon/")):
        assert (ROOT / name).exists()
        return
    path, *names = name.split(".")
    place = ROOT / "addon" / path
    if place.is_dir():
        assert not names
    elif place.with_suffix(".py").is_file():
        assert has(ast.parse(place.with_suffix(".py").read_text(encoding="utf-8")), names)
    else:  # what a package's __init__ has
        package = place.parent / "__init__.py"
        assert has(ast.parse(package.read_text(encoding="utf-8")), [place.name, *names])


def test_every_room_is_in_it() -> None:
    rooms = [place for place in (ROOT / "addon").iterdir() if (place / "__init__.py").is_file()]
    rooms += [place for place in (ROOT / "addon" / "engine").iterdir() if (place / "__init__.py").is_file()]
    for room in rooms:
        assert f"`{room.relative_to(ROOT / 'addon').as_posix()}/`" in TEXT


def test_a_wrong_name_is_noticed() -> None:
    assert not has(ast.parse("class A:\n    def b(self): ..."), ["A", "c"])
