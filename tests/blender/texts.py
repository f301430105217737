"""Finds all texts of the extension: those that its registered classes show, and those in its sources.

An f-string is found in the form of the catalogues, where {1}, {2}, ... are the values.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

# Calls by their function's name: which of their arguments are texts.
ARGUMENTS = {
    "Cancelled": 0,
    "Choice": 1,
    "draw_text": 2,
    "_draw_offline": 2,
    "note": 0,
    "poll_message_set": 0,
    "progress": 0,
    "report": 1,
    "say_status": 1,
    "translated": 0,
}
KEYWORDS = {"heading", "hint", "placeholder", "text"}
LISTS = {"ignored", "notes", "warnings"}  # of sentences that the panels show
INSTALLER = "installer/"  # its functions return sentences, too
COMMAND_LINE = {"cli.py"}  # speaks English only
LETTERS = 4  # as addon/language has it


def shown(classes: tuple[type, ...]) -> tuple[set[str], set[str]]:
    """Names and tooltips of registered classes, their properties and items."""
    words: set[str] = set()
    tooltips: set[str] = set()
    for cls in classes:
        kind: Any = cls
        if issubclass(kind, bpy.types.Operator):
            tooltips.add(rna_of(kind).description)
        if issubclass(kind, (bpy.types.Operator, bpy.types.Panel, bpy.types.Menu)):
            words.add(kind.bl_label)
        for item in own_properties(kind):
            words.add(item.name if item.name != item.identifier else "")
            tooltips.add(item.description)
            for choice in item.enum_items if item.type == "ENUM" else ():
                words.add(choice.name)
                tooltips.add(choice.description)
    return words - {""}, tooltips - {""}


def rna_of(kind: Any) -> Any:
    """Return Blender's description of a registered class, as an operator's properties are not in the class itself."""
    if issubclass(kind, bpy.types.Operator):
        space, name = kind.bl_idname.split(".")
        return getattr(getattr(bpy.ops, space), name).get_rna_type()
    return kind.bl_rna


def own_properties(kind: Any) -> list[Any]:
    """Return the properties of a registered class that Blender does not give to all classes of its kind."""
    base = next(base for base in kind.__mro__ if base.__module__ in ("bpy_types", "bpy.types", "_bpy_types"))
    known = set(base.bl_rna.properties.keys())
    known.update(*(other.__annotations__ for other in kind.__mro__ if other.__module__ == "bl_operators.presets"))
    return [prop for prop in rna_of(kind).properties if prop.identifier not in known]


def said(addon: Path) -> set[str]:
    """Return the texts in the sources, without those of the engine."""
    texts: set[str] = set()
    for file in sorted(addon.rglob("*.py")):
        name = file.relative_to(addon).as_posix()
        if not name.startswith("engine/") and name not in COMMAND_LINE:
            finder = _Finder(ast.parse(file.read_text(encoding="utf-8")))
            texts.update(finder.found())
            if name.startswith(INSTALLER):
                texts.update(finder.returned())
    return texts


def literals(addon: Path) -> set[str]:
    """Every string in the sources, the engine's too."""
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in addon.rglob("*.py")]
    return {text for tree in trees for node in ast.walk(tree) if (text := text_of(node)) is not None}


def untranslated(addon: Path) -> list[str]:
    """Places where Blender would be given English, or would look a text of ours up in its own dictionary."""
    found = []
    for file in sorted(addon.rglob("*.py")):
        name = file.relative_to(addon).as_posix()
        if name.startswith("engine/") or name in COMMAND_LINE:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _goes_past(node):
                found.append(f"{name}:{node.lineno}: {ast.unparse(node)}")
    return found


def _goes_past(node: ast.Call) -> bool:
    name, keywords = _name_of(node.func), {keyword.arg: keyword.value for keyword in node.keywords}
    if name in ("report", "poll_message_set"):
        return text_of(node.args[ARGUMENTS[name]]) is not None
    for keyword, context in (("text", "text_ctxt"), ("heading", "heading_ctxt")):
        if keyword in keywords and getattr(keywords[keyword], "value", None) not in ("", True):
            return context not in keywords and "translate" not in keywords
    return text_of(keywords.get("placeholder", node)) is not None


def text_of(node: ast.AST) -> str | None:
    """Return a string, or an f-string with {1}, {2}, ... in place of its values."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return None
    text, number = "", 0
    for part in node.values:
        if isinstance(part, ast.Constant):
            text += str(part.value).replace("{", "{{").replace("}", "}}")
        else:
            number += 1
            text += f"{{{number}}}"
    return text


class _Finder:
    """Finds the texts of one module."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree

    def found(self) -> Iterator[str]:
        """Return its texts."""
        functions = [function for function in ast.walk(self.tree) if isinstance(function, ast.FunctionDef)]
        for scope in (self.tree, *functions):
            for node in ast.walk(scope):
                for argument in self._arguments(node):
                    yield from (text for text in self._resolve(argument, scope) if _counts(text))
                yield from self._counted(node)

    def returned(self) -> Iterator[str]:
        """Sentences that its functions return."""
        for scope in (function for function in ast.walk(self.tree) if isinstance(function, ast.FunctionDef)):
            for node in ast.walk(scope):
                if isinstance(node, ast.Return) and node.value is not None:
                    yield from (text for text in self._resolve(node.value, scope) if text.count(" ") > 2)

    def _arguments(self, node: ast.AST) -> Iterator[ast.expr]:
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "words":
                    yield value
        if not isinstance(node, ast.Call):
            return
        name = _name_of(node.func)
        place = 0 if name.endswith("Error") and not hasattr(builtins, name) else ARGUMENTS.get(name)
        if name == "append" and isinstance(node.func, ast.Attribute) and _name_of(node.func.value) in LISTS:
            place = 0
        if place is not None and len(node.args) > place:
            yield node.args[place]
        for keyword in node.keywords:
            if keyword.arg in KEYWORDS:
                yield keyword.value

    def _counted(self, node: ast.AST) -> Iterator[str]:
        """`count_of` makes two texts; `reading` adds a reason."""
        if not isinstance(node, ast.Call):
            return
        words = [text for text in map(text_of, node.args) if text is not None]
        if _name_of(node.func) == "count_of" and words:
            yield f"1 {words[0]}"
            yield f"{{1}} {words[1] if len(words) > 1 else words[0] + 's'}"
        if _name_of(node.func) == "reading":
            for word in words[:1]:
                yield f"{word} ({{{word.count('{') + 1}}})."

    def _resolve(self, node: ast.expr, scope: ast.AST) -> Iterator[str]:
        """Yield the texts that an expression may evaluate to."""
        if (text := text_of(node)) is not None:
            yield text
        elif isinstance(node, ast.IfExp):
            yield from self._resolve(node.body, scope)
            yield from self._resolve(node.orelse, scope)
        elif isinstance(node, ast.Starred):
            yield from self._resolve(node.value, scope)
        elif isinstance(node, (ast.List, ast.Tuple)):
            for element in node.elts:
                yield from self._resolve(element, scope)
        elif isinstance(node, ast.BoolOp):
            for value in node.values:
                yield from self._resolve(value, scope)
        elif isinstance(node, ast.Call):
            for function in self.tree.body:
                if isinstance(function, ast.FunctionDef) and function.name == _name_of(node.func):
                    for inner in ast.walk(function):
                        if isinstance(inner, ast.Return) and inner.value is not None:
                            yield from self._resolve(inner.value, function)
        elif isinstance(node, ast.Subscript):
            yield from self._resolve(node.value, scope)
        elif isinstance(node, ast.Dict):
            for value in node.values:
                yield from self._resolve(value, scope)
        elif isinstance(node, ast.Name):
            for where in {scope, self.tree}:
                for value in _values_of(node.id, where):
                    if not isinstance(value, ast.Name):
                        yield from self._resolve(value, scope)


def _values_of(name: str, scope: ast.AST) -> Iterator[ast.expr]:
    """Yield the values assigned to a name, also in a loop over a table."""
    body = scope.body if isinstance(scope, ast.Module) else list(ast.walk(scope))
    for node in body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name) and target.id == name:
                    yield node.value
                elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    yield from (
                        value
                        for element, value in zip(target.elts, node.value.elts, strict=True)
                        if isinstance(element, ast.Name) and element.id == name
                    )
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            if node.value is not None:
                yield node.value
        elif isinstance(node, ast.For) and isinstance(node.target, ast.Tuple) and isinstance(node.iter, ast.Tuple):
            for i, element in enumerate(node.target.elts):
                if isinstance(element, ast.Name) and element.id == name:
                    yield from (row.elts[i] for row in node.iter.elts if isinstance(row, ast.Tuple))


def _name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _counts(text: str) -> bool:
    """Whether it contains words: a name and a colon are not a text of ours."""
    return sum(map(str.isalpha, text)) >= (LETTERS if "{" in text else 1)
