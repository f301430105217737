"""Every text of the extension has a translation in every language, and no catalogue has one that is not used."""

from __future__ import annotations

import json

import bpy
import pytest
import texts
from conftest import ROOT, part

ADDON = ROOT / "addon"
LANGUAGES = ("de", "es", "fr", "ja", "zh")

HOW = """
Add each line below to addon/language/{language}.json, in the group that it stands in, with the translation on the right
instead of the English; {1}, {2}, ... are what is put in. Take the stale ones out."""


def catalogue(language: str) -> dict[str, dict[str, str]]:
    return part("language").read_catalogue(language)  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def wanted() -> dict[str, set[str]]:
    names, tooltips = texts.shown(part("registration").CLASSES)
    return {"words": names | texts.said(ADDON), "tooltips": tooltips}


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_is_translated_and_nothing_is_stale(language: str, wanted: dict[str, set[str]]) -> None:
    known = catalogue(language)
    missing = {
        "words": wanted["words"] - known["words"].keys() - known["pieces"].keys(),
        "tooltips": wanted["tooltips"] - known["tooltips"].keys(),
    }
    literals = texts.literals(ADDON)
    stale = {
        group: entries.keys() - (wanted.get(group) or wanted["words"]) - literals for group, entries in known.items()
    }
    lines = [f"{group}, missing: {_entry(key)}" for group in missing for key in sorted(missing[group])]
    lines += [f"{group}, stale: {_entry(key)}" for group in stale for key in sorted(stale[group])]
    assert not lines, "\n".join([HOW.replace("{language}", language), *lines])


def _entry(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return f"{quoted}: {quoted},"


def test_our_words_are_looked_up_among_ours() -> None:
    """A class or property without our context would be translated by Blender's dictionary."""
    ours = part("language").CONTEXT
    for cls in part("registration").CLASSES:
        if issubclass(cls, (bpy.types.Operator, bpy.types.Panel, bpy.types.Menu)):
            assert cls.bl_rna.translation_context == ours, cls
        for item in texts.own_properties(cls):
            assert item.translation_context == ours or not item.name, f"{cls}: {item.identifier}"


def test_every_text_is_looked_up() -> None:
    """By `text_ctxt=CONTEXT` in a layout, else by `translated`; names and numbers have `translate=False`."""
    assert not texts.untranslated(ADDON)


def test_a_filled_text_is_recognised_as_what_it_is() -> None:
    """Messages come in English with their holes filled; none may look like another one."""
    language = part("language")
    for group in ("words", "pieces"):
        patterns = language._patterns(group)
        assert patterns
        for text, _ in patterns:
            filled = text.format("", *(f"{number}.jpg" for number in range(1, 10)))
            assert next(known for known, pattern in patterns if pattern.fullmatch(filled)) == text, filled


@pytest.mark.parametrize("language", ["fr", "ja", "zh"])
def test_lines_are_broken_where_the_language_allows_it(language: str) -> None:
    wrap = part("ui.text")._wrap
    for text in list(catalogue(language)["words"].values())[::5]:
        lines = wrap(text, 150.0, 11.0)
        assert "".join("".join(lines).split()) == "".join(text.split()), "nothing is lost"
        assert not [line for line in lines[1:] if line[:1] in set("、。，．：；？！」）』”,.;:!?)»")], lines
        assert not [line for line in lines[:-1] if line[-1:] in set("「（『“")], lines
