"""Each language of the extension in a real Blender: the bpy of the other tests has no translations.

No story: a script sets the language. What the catalogues hold is what Blender shows. Every text of ours that a panel of
the sidebar draws is looked for on the screen, whole, at the width that the sidebar has at first: where Blender cuts it,
it is not there. The pictures of the preferences are to be looked at.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
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
LABELS = {
    "automatic": "Without Clicking",
    "finish": "Finishing",
    "frames": "Which Frames",
    "splat": "Trained Splat",
    "ways": "Other Ways to Install",
}

drawn: set[str] = set()  # by panels, in the language that is shown


def note_texts() -> None:
    """From now on, what panels of the sidebar draw is noted."""

    def noting(draw: Any) -> Any:
        def draw_and_note(panel: bpy.types.Panel, context: bpy.types.Context) -> None:
            draw(panel, context)
            drawn.update(texts_in(panel.layout.introspect()))

        return draw_and_note

    for panel in hand.part("ui.panels").CLASSES:
        if getattr(panel, "bl_region_type", "") == "UI":
            panel.draw = noting(panel.draw)


def texts_in(layout: Any) -> Iterator[str]:
    """Of a layout as `introspect` tells it: dictionaries of items, within lists."""
    if isinstance(layout, dict):
        if text := layout.get("draw_string"):
            yield text
        layout = layout.values()
    if not isinstance(layout, str | int | float):
        for item in layout:
            yield from texts_in(item)


def look_for_texts(ours: re.Pattern[str], whole: set[str]) -> hand.Steps:
    """Through the sidebar from its top, and add what is seen whole of the texts of ours."""
    yield from hand.scroll("4", 80)
    before = None
    while before is None or (before != shown()).any():
        before = shown()
        whole.update(text for text in drawn - whole if ours.fullmatch(text) and hand.seen(text, hand.sidebar()))
        yield from hand.scroll("5", 10)


def shown() -> Any:
    left, top, right, bottom = hand.sidebar()
    return hand.look()[top:bottom, left:right]


def pattern(texts: Iterator[str]) -> re.Pattern[str]:
    """Any of the texts, with anything in their holes."""
    return re.compile(
        "|".join(".*?".join(map(re.escape, re.split(r"\{\d\}", text))) for text in texts if text), re.DOTALL
    )


def steps() -> hand.Steps:
    yield from hand.open_footage(hand.FOOTAGE)
    yield from hand.click_plate(0.49, 0.6, "ctrl")
    yield from hand.press_action("Preview")  # then there is something to finish
    yield lambda: len(hand.clip().splat_matte.objects) == 1
    view = bpy.context.preferences.view
    look_up = bpy.app.translations
    cut: list[str] = []
    note_texts()
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
        drawn.clear()
        whole: set[str] = set()
        ours_in_it = pattern(found for found in catalogue["words"].values() if sum(map(str.isalpha, found)) > 1)
        yield hand.moment(1.0)
        hand.shot(f"language_{name}", hand.sidebar())
        yield from look_for_texts(ours_in_it, whole)
        for panel in ("automatic", "finish", "frames", "splat"):
            label = look_up.pgettext_iface(LABELS[panel], language.CONTEXT)
            yield from hand.press_in_sidebar(label)
            yield hand.moment(1.0)
            hand.shot(f"language_{name}_{panel}", hand.sidebar())
            yield from look_for_texts(ours_in_it, whole)
            yield from hand.press_in_sidebar(label)
        cut += [f"{name}: {text}" for text in sorted(drawn - whole) if ours_in_it.fullmatch(text)]
        with bpy.context.temp_override(window=hand.window()):
            bpy.ops.preferences.addon_show(module=hand.PACKAGE)
        yield hand.preferences_are_open
        yield hand.moment(1.0)
        yield from hand.press_scrolling(look_up.pgettext_iface(LABELS["ways"], language.CONTEXT), hand.preferences)
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
