"""A story by hand: the edge of what is exported. A soft matte, the subject's colours beside it, both sets of masks, and
what is to be ignored.

Its pictures are those of docs/clip-editor.md and docs/export-targets.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import hand

SUBJECT = (0.49, 0.6)


def story() -> hand.Steps:
    yield from hand.open_footage(hand.FOOTAGE)
    yield from hand.click_plate(*SUBJECT, "ctrl")
    yield from hand.press_action("Preview")
    yield lambda: len(settings().objects) == 1 and hand.idle()
    yield from soft_matte()
    yield from colours_and_capture()
    yield from ignored()


def settings():
    return hand.clip().splat_matte


def soft_matte() -> hand.Steps:
    yield from hand.press_in_sidebar("Finishing")
    yield hand.moment(1.0)
    yield from hand.scroll_to("Soft Matte", hand.sidebar)
    yield from hand.type_into("Soft Matte", "12", below="Finishing")
    yield lambda: settings().objects[0].finishing.soft == 12
    yield hand.moment(1.0)
    hand.shot("soft-matte", hand.sidebar())
    yield from hand.press_in_sidebar("Finishing")
    yield hand.moment(1.0)


def colours_and_capture() -> hand.Steps:
    yield from hand.scroll("5", 80)
    yield from hand.press("As Shot", hand.sidebar)
    yield hand.moment(1.0)
    yield from hand.press("Subject's")
    yield lambda: settings().edge_colours == "subject"
    yield from hand.press("Not Said", hand.sidebar)
    yield hand.moment(1.0)
    yield from hand.press("Turntable")
    yield lambda: settings().capture == "turntable"
    yield from hand.scroll("5", 80)
    yield hand.moment(1.0)
    hand.shot("edge-colours-and-capture", hand.sidebar())


def ignored() -> hand.Steps:
    yield from hand.press("Postshot", hand.sidebar)
    yield hand.moment(1.0)
    yield from hand.press("LichtFeld Studio")
    yield lambda: settings().target == "lichtfeld"
    yield hand.moment(1.0)
    yield from hand.type_into("Ignored Band", "3", below="Export")
    yield lambda: settings().ignored_band == 3
    yield from hand.press("Ignore Doubtful", hand.sidebar)
    yield lambda: settings().ignore_doubtful
    yield from hand.scroll("5", 80)
    yield hand.moment(1.0)
    hand.shot("ignored-band", hand.sidebar())


hand.tell(story())
