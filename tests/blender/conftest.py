"""The extension as an artist gets it: built as a zip, installed and enabled in a user folder of its own.

SPLAT_MATTE_PYTHON names the Python of its engine, which all tests of a session share.
"""

from __future__ import annotations

import atexit
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "bl_ext.user_default.splat_matte"

# Blender reads this when it is imported: nothing of this person's Blender is seen or changed.
USER_FOLDER = tempfile.mkdtemp(prefix="splat-matte-blender-")
atexit.register(shutil.rmtree, USER_FOLDER, ignore_errors=True)
os.environ["BLENDER_USER_RESOURCES"] = USER_FOLDER
os.environ["SPLAT_MATTE_FOLDER"] = str(Path(USER_FOLDER) / "splat_matte")

import bpy  # noqa: E402


def part(name: str) -> ModuleType:
    """Return a module of the installed extension, for instance part("clip.prompts")."""
    return importlib.import_module(f"{PACKAGE}.addon.{name}")


def compositor(scene: bpy.types.Scene) -> tuple[bpy.types.NodeTree, bpy.types.Node]:
    """Return an empty compositor and the node whose first input is the render's result, in 4.x and in 5.x."""
    if bpy.app.version >= (5, 0):
        tree = bpy.data.node_groups.new("Compositor", "CompositorNodeTree")
        scene.compositing_node_group = tree
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        output = tree.nodes.new("NodeGroupOutput")
    else:
        scene.use_nodes = True
        tree = scene.node_tree
        tree.nodes.clear()
        output = tree.nodes.new("CompositorNodeComposite")
    return tree, output


def blender_ext() -> Path:
    """The extension tool that comes with every Blender."""
    return Path(bpy.utils.system_resource("SCRIPTS")) / "addons_core" / "bl_pkg" / "cli" / "blender_ext.py"


def build(folder: Path) -> Path:
    """The extension's zip."""
    tool = [sys.executable, str(blender_ext())]
    subprocess.run([*tool, "build", "--source-dir", str(ROOT), "--output-dir", str(folder)], check=True)
    (package,) = folder.glob("*.zip")
    subprocess.run([*tool, "validate", str(package)], check=True)
    return package


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="session", autouse=True)
def installed(package: Path) -> Iterator[None]:
    bpy.ops.preferences.addon_enable(module="bl_pkg")
    bpy.ops.extensions.package_install_files(filepath=str(package), repo="user_default", enable_on_install=True)
    assert PACKAGE in bpy.context.preferences.addons
    yield
    part("runtime.engine_client").stop_shared_engine()
    bpy.ops.preferences.addon_disable(module=PACKAGE)


@pytest.fixture(autouse=True)
def fresh_file(installed: None) -> Iterator[None]:
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    yield
    # Clip editors left open bring some versions down when Python ends.
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)


@pytest.fixture
def clip_editor() -> Iterator[Any]:
    """A context override: a clip editor without a window on any screen."""
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    before, area.type = area.type, "CLIP_EDITOR"
    region = next(region for region in area.regions if region.type == "WINDOW")
    yield lambda: bpy.context.temp_override(window=window, area=area, region=region)
    area.type = before


@pytest.fixture(autouse=True)
def no_run_left(installed: None) -> Iterator[None]:
    """Stop what a test has started. The engine stays for the next one, as starting it takes longer than most tests."""
    yield
    part("tasks.job_run").forget()
