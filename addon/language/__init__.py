"""The extension in the artist's language, through Blender's own system: a catalogue a language, and what looks it up.

Words of ours have a translation context of their own, as Blender's dictionary means something else by some of them: its
"Track" is a noun. Text is made in English, in the engine and the installer too, which know no Blender; it is translated
where it is shown. So logs, Jobs and messages between processes are in one language, and what a .blend keeps is shown in
the language of whoever opens it.

A catalogue is a JSON file of English texts and their translations, in three groups:
    words: names, labels and sentences. {1}, {2}, ...: what is put in from time to time, in any order.
    tooltips: descriptions, which Blender looks up without a context.
    pieces: texts that stand within another one.
Another language is one more file, and one more line in _LOCALES.
"""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

import bpy

from ..contract.errors import MatteError

CONTEXT = "splat_matte"

# What Blender calls the languages: one without a country stands for all of them, but Chinese has two ways of writing.
_LOCALES = {"de": ("de",), "fr": ("fr",), "es": ("es",), "ja": ("ja",), "zh": ("zh_HANS", "zh_CN")}
_HOLE = re.compile(r"\{\d\}")
_LETTERS = 4  # a text with fewer of its own could be anything, so it is never recognised

Catalogue = dict[str, dict[str, str]]


def read_catalogue(language: str) -> Catalogue:
    """Translations by English text, in their three groups."""
    catalogue: Catalogue = json.loads(Path(__file__).with_name(f"{language}.json").read_text(encoding="utf-8"))
    return catalogue


def translated(text: str, *values: object) -> str:
    """A text of ours in the language of Blender's interface; in English if it has no translation.

    Args:
        text: a text of the catalogue, or one in which the holes are filled already: it is recognised by the rest.
        values: what to fill the holes with.
    """
    if values:
        return bpy.app.translations.pgettext_iface(text, CONTEXT).format("", *values)
    language = bpy.app.translations.locale
    if not language or language.startswith("en"):
        return text
    return _recognised(language, bpy.context.preferences.view.use_translate_interface, text)


def translated_error(error: MatteError) -> str:
    """Return the place, the message and the hint of an error, translated."""
    place = f"{error.where}: " if error.where else ""
    return f"{place}{translated(error.message)} {translated(error.hint)}".rstrip()


@functools.lru_cache(maxsize=4096)
def _recognised(_: str, __: bool, text: str) -> str:
    if (found := bpy.app.translations.pgettext_iface(text, CONTEXT)) != text:
        return found
    return _fill(text, ("words", "pieces")) or text


def _fill(text: str, groups: tuple[str, ...]) -> str | None:
    """The translation of the text with holes that `text` was made from; None if there is none."""
    for group in groups:
        for template, pattern in _patterns(group):
            if match := pattern.fullmatch(text):
                found = bpy.app.translations.pgettext_iface(template, CONTEXT)
                return found.format("", *map(_piece, match.groups()))
    return None


def _piece(text: str) -> str:
    """Translate the text in a hole: mostly a name, a number or a path, which stay as they are."""
    if text in _pieces():
        return bpy.app.translations.pgettext_iface(text, CONTEXT)
    return _fill(text, ("pieces",)) or text


@functools.cache
def _pieces() -> frozenset[str]:
    return frozenset(read_catalogue("de")["pieces"])


@functools.cache
def _patterns(group: str) -> list[tuple[str, re.Pattern[str]]]:
    """Texts with holes and what they match, the most telling first."""
    texts = [text for text in read_catalogue("de")[group] if _HOLE.search(text) and _letters(text) >= _LETTERS]
    texts.sort(key=lambda text: (_letters(text), len(_HOLE.sub("", text))), reverse=True)
    return [(text, re.compile("(.*?)".join(map(re.escape, _HOLE.split(text))), re.DOTALL)) for text in texts]


def _letters(text: str) -> int:
    return sum(letter.isalpha() for letter in text)


def register() -> None:
    """Tell Blender all translations."""
    known: dict[str, dict[tuple[str, str], str]] = {}
    for language, locales in _LOCALES.items():
        catalogue = read_catalogue(language)
        ours = {(CONTEXT, text): found for group in ("words", "pieces") for text, found in catalogue[group].items()}
        tooltips = {("*", text): found for text, found in catalogue["tooltips"].items()}
        known |= dict.fromkeys(locales, ours | tooltips)
    bpy.app.translations.register(__name__, known)


def unregister() -> None:
    """Blender forgets them."""
    bpy.app.translations.unregister(__name__)
    _recognised.cache_clear()
