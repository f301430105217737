"""Two editors of one clip: what is done in one is seen in the other. See hand.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import hand
import numpy as np

POT = (0.49, 0.6)


def story() -> hand.Steps:
    yield from hand.open_footage(hand.FOOTAGE)
    yield from hand.click_plate(*POT, "ctrl")
    yield lambda: len(hand.tracks()) == 1
    yield from two_editors()


def two_editors() -> hand.Steps:
    """What is done in one is seen in the other."""
    yield from hand.key("ctrl+space")
    yield hand.moment(1.0)
    second = next(
        area for area in hand.window().screen.areas if area.type == "CLIP_EDITOR" and area.spaces.active.view != "CLIP"
    )
    view = second.spaces.active.bl_rna.properties["view"].enum_items[second.spaces.active.view].name
    yield from hand.press(view, lambda: hand.header(second))
    yield from hand.press("Clip", lambda: around(hand.header(second)))
    yield lambda: second.spaces.active.view == "CLIP"
    left, top, right, bottom = hand.box(hand.region("WINDOW", second))
    yield from hand.key("Home", over=((left + right) // 2, (top + bottom) // 2))
    yield hand.moment(1.0)
    before = hand.look()[top:bottom, left:right].astype(float)
    yield from hand.press_in_sidebar("Preview")
    yield lambda: bool(hand.part("viewer.previews").preview_of(hand.clip().name, 1))
    yield hand.moment(1.0)
    after = hand.look()[top:bottom, left:right].astype(float)
    assert (np.abs(after - before).max(axis=-1) > 20).sum() > 100, "the preview is in the other editor too"
    hand.shot("two-editors")


def around(place: hand.Box) -> hand.Box:
    """Where a menu of it opens."""
    left, top, right, bottom = place
    return left, top - 200, right, bottom + 200


hand.tell(story())
