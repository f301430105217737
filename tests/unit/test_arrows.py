"""The directions of the arrows: the order of the floors, no circle, no torch in Blender, no Blender in the engine."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ADDON = Path(__file__).resolve().parents[2] / "addon"
FILES = sorted(ADDON.rglob("*.py"))

# From the ground up: a room may import itself and what stands before it, nothing else.
FLOORS = (
    "contract", "runtime", "checkpoints", "installer", "results", "language", "settings", "clip", "tasks", "viewer",
    "operators", "ui", "cli", "registration",
)  # fmt: skip
ENGINE_FLOORS = (
    "footage", "store", "sam2", "tracking", "matting", "review", "selection", "automatic", "export", "splats",
    "session", "progress", "self_test", "farm", "handlers", "serve", "arguments", "__main__",
)  # fmt: skip
ENGINE_MAY_IMPORT = {"contract", "runtime", "checkpoints"}  # of the rooms outside it
ENGINE_ONLY = {
    "torch",
    "torchvision",
    "sam2",
    "cv2",
    "PIL",
    "av",
    "pillow_heif",
    "rawpy",
    "OpenImageIO",
    "plyfile",
    "scipy",
    "hydra",
}
BLENDER_ONLY = {"bpy", "bl_ext", "blf", "gpu", "mathutils", "bpy_extras"}
# These know no Blender and no package but the standard library.
PLAIN_ROOMS = ("contract", "runtime", "checkpoints", "installer")
PLAIN_FILES = {"clip/sequence.py", "clip/coordinates.py", "clip/blendfile.py", "settings/palette.py"}
NUMPY_IS_ALLOWED = {"contract/rle.py"}


def name_of(file: Path) -> str:
    return file.relative_to(ADDON).as_posix()


def module_of(file: Path) -> tuple[str, ...]:
    parts = file.relative_to(ADDON).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


MODULES = {module_of(file): file for file in FILES}


def absolute(file: Path) -> set[str]:
    """The top-level packages that `file` imports by absolute names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").split(".")[0])
    return found


def arrows(file: Path) -> Iterator[tuple[str, ...]]:
    """The modules of the extension that `file` imports, as paths below addon."""
    package = file.relative_to(ADDON).parts[:-1]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = (*package[: len(package) - node.level + 1], *filter(None, (node.module or "").split(".")))
            for alias in node.names:
                target = (*base, alias.name) if (*base, alias.name) in MODULES else base
                assert target in MODULES, f"{name_of(file)} imports {'.'.join(base)}, which is not there"
                yield target


def floor(module: tuple[str, ...]) -> int:
    return FLOORS.index(module[0])


def engine_floor(module: tuple[str, ...]) -> int:
    return ENGINE_FLOORS.index(module[1])


def test_every_room_has_a_floor() -> None:
    rooms = {module[0] for module in MODULES if module}
    assert rooms == {*FLOORS, "engine"}
    assert {module[1] for module in MODULES if module[:1] == ("engine",) and len(module) > 1} == set(ENGINE_FLOORS)


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_no_arrow_runs_up(file: Path) -> None:
    module = module_of(file)
    for target in arrows(file):
        if not module or target == ("engine",):
            continue
        if module[0] == "engine":
            if target[0] != "engine":
                assert target[0] in ENGINE_MAY_IMPORT
            else:
                assert engine_floor(target) <= engine_floor(module)
        else:
            assert target[0] != "engine"
            assert floor(target) <= floor(module)


def test_no_circle() -> None:
    """static_order raises CycleError, which names the files."""
    graph = {module: set(arrows(file)) - {module} for module, file in MODULES.items()}
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_packages_of_the_other_process_are_not_imported(file: Path) -> None:
    name = name_of(file)
    in_engine = name.startswith("engine/")
    assert not absolute(file) & (BLENDER_ONLY if in_engine else ENGINE_ONLY)
    if name in PLAIN_FILES or name.split("/")[0] in PLAIN_ROOMS:
        allowed = {"numpy"} if name in NUMPY_IS_ALLOWED else set()
        assert not absolute(file) & ((BLENDER_ONLY | {"numpy"}) - allowed)


def test_files_that_are_plain_exist() -> None:
    assert {name_of(file) for file in FILES} >= PLAIN_FILES | NUMPY_IS_ALLOWED


def test_every_room_says_what_lives_there() -> None:
    for file in FILES:
        if file.name == "__init__.py":
            assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))), name_of(file)


def test_few_modules_lie_loose_at_the_root() -> None:
    assert len([file for file in FILES if file.parent == ADDON]) <= 3


def test_nothing_imports_the_extension_by_an_absolute_name() -> None:
    """Inside Blender the package is called otherwise."""
    for file in FILES:
        assert "addon" not in absolute(file)
