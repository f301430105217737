"""The directions of the arrows: Blender's side never imports torch, the engine never imports Blender."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ADDON = Path(__file__).resolve().parents[2] / "addon"
FILES = sorted(ADDON.rglob("*.py"))
ENGINE_ONLY = {"torch", "torchvision", "sam2", "cv2", "PIL", "av", "OpenImageIO", "scipy", "hydra"}
BLENDER_ONLY = {"bpy", "bl_ext", "blf", "gpu", "mathutils", "bpy_extras"}
# Both processes, or neither, import these: standard library only.
PLAIN = {
    "job.py", "automatic.py", "suggested.py", "errors.py", "protocol.py", "orientation.py", "user_folder.py",
    "targets.py", "disk.py", "runtime.py", "engine_client.py", "checkpoints/__init__.py", "clip/sequence.py",
    "clip/coordinates.py", "clip/colour.py", "clip/blendfile.py",
    *(file.relative_to(ADDON).as_posix() for file in (ADDON / "installer").glob("*.py")),
}  # fmt: skip


def imports(file: Path) -> Iterator[str]:
    """Absolute names; relative ones as paths below addon: `.engine.store`."""
    package = file.relative_to(ADDON).parts[:-1]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0:
                yield node.module or ""
            else:
                base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
                yield from ("." + ".".join(filter(None, [*base, alias.name])) for alias in node.names)


def top(names: Iterator[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def test_plain_files_exist() -> None:
    assert {str(file.relative_to(ADDON).as_posix()) for file in FILES} >= PLAIN


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ADDON).as_posix())
def test_arrows(file: Path) -> None:
    name = file.relative_to(ADDON).as_posix()
    if name.startswith("engine/"):
        assert not top(imports(file)) & BLENDER_ONLY
        blender_side = (".ui", ".operators", ".clip", ".engine_client", ".properties", ".cli", ".registration")
        assert not [each for each in imports(file) if each.startswith(blender_side)]
    else:
        assert not top(imports(file)) & ENGINE_ONLY
        assert not [each for each in imports(file) if each == ".engine" or each.startswith(".engine.")]
    if name in PLAIN:
        assert not top(imports(file)) & (BLENDER_ONLY | {"numpy"})


@pytest.mark.parametrize("room", ["clip", "operators"])
def test_ui_is_not_imported_by(room: str) -> None:
    forbidden = (".ui", ".operators") if room == "clip" else (".ui",)
    for file in (ADDON / room).glob("*.py"):
        assert not [each for each in imports(file) if each.startswith(forbidden)]


def test_nothing_imports_the_extension_by_an_absolute_name() -> None:
    """Inside Blender the package is called otherwise."""
    for file in FILES:
        assert "addon" not in top(imports(file))
