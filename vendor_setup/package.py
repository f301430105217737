"""`package`: the extension's zip, built and validated by Blender's own command."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

from addon.errors import EngineError
from addon.installer.processes import run_quietly

from .environments import BLENDERS, ROOT, RUNTIME, Environment, folder_of, prepare, python_of
from .pythons import find_or_fetch

DIST = ROOT / "dist"


def newest_blender(*others: Environment) -> Environment:
    """The newest Blender that a Python of this machine has a wheel for; it and `others` are ready to use."""
    versions = find_or_fetch(RUNTIME)
    newest = [each for each in BLENDERS if each.python in versions][-1]
    prepare([newest, *others])
    return newest


def package(blender: Environment) -> Path:
    """Build dist/<id>-<version>.zip with `blender`'s wheel and validate it. Raises EngineError with Blender's words."""
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    DIST.mkdir(exist_ok=True)
    file = DIST / f"{manifest['id']}-{manifest['version']}.zip"
    _extension_command(blender, ["build", "--source-dir", str(ROOT), "--output-filepath", str(file)])
    _extension_command(blender, ["validate", str(file)])
    return file


def _extension_command(blender: Environment, arguments: Sequence[str]) -> None:
    # A part of Blender's extension manager that runs without Blender, by any Python.
    found = sorted(folder_of(blender).rglob("bl_pkg/cli/blender_ext.py"))
    if not found:
        raise EngineError("This Blender has no extension command.", where=blender.name)
    run_quietly([str(python_of(blender)), str(found[0]), *arguments])
