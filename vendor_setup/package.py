"""`package`: builds and validates the extension's zip with Blender's own command."""

from __future__ import annotations

import tomllib
import zipfile
from collections.abc import Sequence
from pathlib import Path

from addon.contract.errors import EngineError
from addon.runtime.processes import run_quietly
from addon.runtime.watch import megabytes

from .environments import BLENDERS, ROOT, RUNTIME, Environment, folder_of, prepare, python_of
from .pythons import find_or_fetch

DIST = ROOT / "dist"

_LIMIT = 20_000_000  # bytes; the embedded checkpoint is half of it
_NEEDED = {"__init__.py", "blender_manifest.toml", "LICENSE", "addon"}


def newest_blender(*others: Environment) -> Environment:
    """Prepare `others` and the newest Blender with a wheel for a Python of this machine. Returns that Blender."""
    versions = find_or_fetch(RUNTIME)
    newest = [environment for environment in BLENDERS if environment.python in versions][-1]
    prepare([newest, *others])
    return newest


def package(blender: Environment) -> Path:
    """Build dist/<id>-<version>.zip with `blender`'s wheel and validate it.

    Raises:
        EngineError: Blender's message, or the package contains files that artists do not need.
    """
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    DIST.mkdir(exist_ok=True)
    file = DIST / f"{manifest['id']}-{manifest['version']}.zip"
    extension_command(blender, ["build", "--source-dir", str(ROOT), "--output-filepath", str(file)])
    extension_command(blender, ["validate", str(file)])
    check(file)
    return file


def check(file: Path) -> None:
    """Check that the zip contains only what is needed and is not too large. Raises EngineError."""
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
    foreign = [name for name in names if name.split("/")[0] not in _NEEDED or name.endswith((".pyc", "/"))]
    if foreign:
        raise EngineError(f"It holds what does not belong there: {foreign[0]}.", where=file.name)
    if file.stat().st_size > _LIMIT:
        raise EngineError(f"It has {megabytes(file.stat().st_size)}; {megabytes(_LIMIT)} are allowed.", where=file.name)


def extension_command(blender: Environment, arguments: Sequence[str]) -> None:
    """Run `blender --command extension ARGUMENTS`. Raises EngineError with Blender's message."""
    # The part of Blender's extension manager that any Python can run without Blender.
    found = sorted(folder_of(blender).rglob("bl_pkg/cli/blender_ext.py"))
    if not found:
        raise EngineError("This Blender has no extension command.", where=blender.name)
    run_quietly([str(python_of(blender)), str(found[0]), *arguments])
