"""Each language of the extension in a real Blender: the bpy of the other tests has no translations.

No story: a script sets the language. What the catalogues hold is what Blender shows. Every text of ours that a panel of
the sidebar draws is looked for on the screen, whole, at the width that the sidebar has at first: where Blender cuts it,
it is not there. The pictures of the preferences are to be looked at.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import bpy
import hand

# What Blender calls the language, our word for the verb, and Blender's own "Track", which is a noun.
LANGUAGES = {
    "de": ("de_DE", "Verfolgen", "Spur"),
    "es": ("es", "Rastrear", "Rastrear"),
    "fr": ("fr_FR", "Suivre", "Suivi"),
    "ja": ("ja_JP", "トラック", "トラック"),
    "zh": ("zh_HANS", "追踪", "追踪"),
}
PANELS = (  # that are closed at first, from the sidebar's top
    "Static Mask",
    "Strokes",
    "Finishing",
    "Which Frames",
    "Frames and Version",
    "Trained Splat",
    "Without Clicking",
    "Clean Transients",
)

HOLE = r"\{\d\}"  # in a text of a catalogue
END = 4  # letters, without which a long text still looks much as it does whole

drawn: set[str] = set()  # by panels, in the language that is shown
cut: list[str] = []  # texts, each after its language


def note_texts() -> None:
    """From now on, what panels of the sidebar draw is noted."""

    def and_note(draw: Any) -> Any:
        return lambda panel, context: draw(Noting(panel), context)

    for panel in hand.part("ui.panels").CLASSES:
        if getattr(panel, "bl_region_type", "") == "UI":
            panel.draw = and_note(panel.draw)


class Noting:
    """A panel or a layout, with all that it does, which also notes the texts that it draws."""

    def __init__(self, real: Any) -> None:
        object.__setattr__(self, "real", real)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self.real, name, value)

    def __getattr__(self, name: str) -> Any:
        own = getattr(type(self.real), name, None)
        if isinstance(own, FunctionType):  # of a panel of ours
            return MethodType(own, self)
        found = getattr(self.real, name)
        return self._drawing(name, found) if callable(found) else noting(found)

    def _drawing(self, name: str, draw: Any) -> Any:
        def draw_and_note(*arguments: Any, **named: Any) -> Any:
            drawn.update(texts_of(name, arguments, named))
            return noting(draw(*arguments, **named))

        return draw_and_note


def noting(found: Any) -> Any:
    """Layouts, also several of them, as ones that note."""
    if isinstance(found, tuple):
        return tuple(map(noting, found))
    return Noting(found) if isinstance(found, bpy.types.UILayout) else found


def texts_of(name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Iterator[str]:
    """What a layout's function draws, in the language that is shown."""
    text = named.get("text")
    if name == "prop":
        rna = arguments[0].bl_rna.properties[arguments[1]]
        text = rna.name if text is None else text
        if rna.type == "ENUM" and not rna.is_enum_flag and not named.get("icon_only"):
            chosen = rna.enum_items.get(getattr(*arguments[:2]))
            yield from [translated(chosen.name)] if chosen else []
        elif named.get("placeholder") and not getattr(*arguments[:2]):
            yield named["placeholder"]
    elif name == "operator" and text is None:
        module, _, function = arguments[0].partition(".")
        text = getattr(getattr(bpy.ops, module), function).get_rna_type().name
    if text:
        yield translated(text) if named.get("translate", True) else text


def translated(text: str) -> str:
    return bpy.app.translations.pgettext_iface(text, hand.part("language").CONTEXT)


def look_for_texts(name: str, ours: re.Pattern[str]) -> hand.Steps:
    """Through the sidebar from its top, with pictures; what is nowhere seen whole of the texts of ours is cut."""
    drawn.clear()
    yield from hand.scroll("4", 80)
    whole: set[str] = set()
    before, page = None, 0
    while before is None or (before != shown()).any():
        before, page = shown(), page + 1
        hand.shot(f"language_{name}_{page}", hand.sidebar())
        whole.update(text for text in drawn - whole if ours.fullmatch(text) and is_whole(text))
        yield from hand.scroll("5", 10)
    missing = [f"{name}: {text}" for text in sorted(drawn - whole) if ours.fullmatch(text)]
    print("Cut:", missing, flush=True)
    cut.extend(missing)


def is_whole(text: str) -> bool:
    """Whether it is in the sidebar with its end, which is where Blender cuts it."""
    wide = hand.word(text).shape[1]
    end = hand.word(text[-END:]).shape[1]
    return any(
        hand.seen(text[-END:], (x + wide // 2 - end - 4, y - hand.scaled(12), x + wide // 2 + 4, y + hand.scaled(12)))
        for x, y in hand.seen(text, hand.sidebar())
    )


def shown() -> Any:
    left, top, right, bottom = hand.sidebar()
    return hand.look()[top:bottom, left:right]


def pattern(texts: Iterable[str]) -> re.Pattern[str]:
    """Any of the texts that have letters, with anything in their holes."""
    told = (text for text in texts if sum(map(str.isalpha, re.sub(HOLE, "", text))) > 1)
    return re.compile("|".join(".*?".join(map(re.escape, re.split(HOLE, text))) for text in told), re.DOTALL)


def steps() -> hand.Steps:
    yield from hand.open_footage(hand.FOOTAGE)
    yield from hand.click_plate(0.49, 0.6, "ctrl")
    yield from hand.press_action("Preview")  # then there is something to finish
    yield lambda: len(hand.clip().splat_matte.objects) == 1
    view = bpy.context.preferences.view
    look_up = bpy.app.translations
    yield from hand.press_at_end("Farm")  # at the end while others are closed; "Panorama" further up looks like it
    for panel in PANELS:
        yield from hand.press_in_sidebar(panel)
    note_texts()
    yield from look_for_texts("en", pattern(hand.part("language").read_catalogue("de")["words"]))
    for name, (locale, ours, theirs) in LANGUAGES.items():
        view.language = locale
        view.use_translate_interface = view.use_translate_tooltips = True
        language = hand.part("language")
        track = hand.part("ui.panels.track").SPLATMATTE_PT_track
        assert look_up.pgettext_iface("Track") == theirs, "Blender's own"
        assert look_up.pgettext_iface(track.bl_label, track.bl_rna.translation_context) == ours
        catalogue = language.read_catalogue(name)
        for text, found in (catalogue["words"] | catalogue["pieces"]).items():
            assert look_up.pgettext_iface(text, language.CONTEXT) == found, text
        for text, found in catalogue["tooltips"].items():
            shown = look_up.pgettext_tip(text)
            assert shown == found or shown != text, text  # Blender's own comes first, where it has the same sentence
        for text in catalogue["words"]:
            filled = text.format("", *range(11, 20)) if "{1}" in text else text
            expected = catalogue["words"][text]
            expected = expected.format("", *range(11, 20)) if "{1}" in text else expected
            assert language.translated(filled) == expected or sum(map(str.isalpha, text)) < 4, filled
        assert language.translated("A clip of somebody") == "A clip of somebody", "what is not ours stays as it is"
        yield hand.moment(1.0)
        yield from look_for_texts(name, pattern(catalogue["words"].values()))
        with bpy.context.temp_override(window=hand.window()):
            bpy.ops.preferences.addon_show(module=hand.PACKAGE)
        yield hand.preferences_are_open
        yield hand.moment(1.0)
        yield from hand.press_scrolling(translated("Other Ways to Install"), hand.preferences)
        yield hand.moment(1.0)
        hand.shot(f"language_{name}_preferences", hand.preferences())
        yield from hand.scroll("5", 40, hand.preferences)
        hand.shot(f"language_{name}_preferences_end", hand.preferences())
        with bpy.context.temp_override(window=bpy.context.window_manager.windows[1]):
            bpy.ops.wm.window_close()
        yield hand.moment(1.0)
    view.language = "en_US"
    assert hand.part("language").translated("Stopping") == "Stopping"
    assert not cut, "cut in the sidebar:\n" + "\n".join(cut)


hand.tell(steps())
