"""The tests that a change affects, derived from imports and names in the files.

A file depends on another one if it imports it, in any form and at any place, or if one of its strings is the name of
the file, its module or its folder: `"addon.engine"` occurs where a process is started, `part("clip.prompts")` in
Blender's tests, `"dependencies.md"` where a document is read. This is cheap, and selects too many tests rather than too
few.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath


class Imports:
    """The files below `root` and their dependencies. Files are paths relative to `root`, with forward slashes."""

    def __init__(self, root: Path, files: Mapping[str, Hashable]) -> None:
        """`files` with something that is another one when the file was written; what has not changed is read once."""
        self._files = {_name(file): file for file in files}
        self._leads_to = {
            file: {self._files.get(name, name) for name in _names_in(root, file, stamp)}
            for file, stamp in files.items()
        }

    def touched(self, changed: Collection[str], tests: Collection[str]) -> list[str]:
        """The tests that depend on a changed file, those with the fewest steps in between first.

        A deleted file affects all files that still name it.
        """
        steps = {file: 0 for file in changed if file in self._leads_to}
        ends = {*changed, *map(_name, changed), *(folder for file in changed for folder in _folders(file))}
        distance = 0
        while ends:
            distance += 1
            ends = {file for file, to in self._leads_to.items() if file not in steps and not to.isdisjoint(ends)}
            steps |= dict.fromkeys(ends, distance)
        return sorted(steps.keys() & set(tests), key=lambda file: (steps[file], file))


def _folders(file: str) -> set[str]:
    """The outermost and the innermost folder of a file, as in strings that stand for all files in it."""
    folders = file.split("/")[:-1]
    return {f"{folder}/" for folder in folders[:1] + folders[-1:]}


def _name(file: str) -> str:
    """The name of a file in strings and imports: a module's dotted name, or the name of the file."""
    path = PurePosixPath(file)
    if path.suffix != ".py":
        return path.name
    parts = path.with_suffix("").parts
    if parts == ("__init__",):
        return "bl_ext"  # the extension, as Blender loads it
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def _names_in(root: Path, file: str, stamp: Hashable) -> frozenset[str]:
    """All names in `file`, whether or not files with these names exist."""
    path = PurePosixPath(file)
    if path.suffix != ".py":
        return frozenset()
    package = path.parts[:-1]
    around = [".".join(package)] if package else []
    if package[:1] == ("tests",):
        around.append(".".join((*package, "conftest")))
    try:
        tree = ast.parse((root / file).read_bytes())
    except (OSError, SyntaxError, ValueError):  # deleted or half-written, which linter and pytest report
        return frozenset(around)
    return frozenset((*around, *_names_of(tree, package)))


def _names_of(tree: ast.AST, package: Sequence[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            # An import from a package names its modules or members of the package itself.
            yield from (base, *(f"{base}.{alias.name}" for alias in node.names))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "part":
            yield from (
                f"addon.{argument.value}"
                for argument in node.args
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (node.value, f"{node.value}.__main__", f"{node.value}/")
            if node.value.startswith("bl_ext."):
                yield "bl_ext"
