"""Each language of the extension in a real Blender: the bpy of the other tests has no translations.

No story: a script sets the language. What the catalogues hold is what Blender shows; the pictures of the sidebar, of
the panels that are closed at first and of the preferences are to be looked at for texts that are cut.
"""

from __future__ import annotations

import sys
from pathlib import Path

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
    "automatic": "Automatic",
    "finish": "Finishing",
    "frames": "Which Frames",
    "splat": "Trained Splat",
    "ways": "Other Ways to Install",
}


def steps() -> hand.Steps:
    yield from hand.open_footage(hand.FOOTAGE)
    yield from hand.click_plate(0.49, 0.6, "ctrl")
    yield from hand.press_action("Preview")  # then there is something to finish
    yield lambda: len(hand.clip().splat_matte.objects) == 1
    view = bpy.context.preferences.view
    look_up = bpy.app.translations
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
        hand.shot(f"language_{name}", hand.sidebar())
        for panel in ("automatic", "finish", "frames", "splat"):
            label = look_up.pgettext_iface(LABELS[panel], language.CONTEXT)
            yield from hand.press_in_sidebar(label)
            yield hand.moment(1.0)
            hand.shot(f"language_{name}_{panel}", hand.sidebar())
            yield from hand.press_in_sidebar(label)
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


hand.tell(steps())
