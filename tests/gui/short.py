"""The short story: footage opened, a marker, a click from a button, tracked, exported. See hand.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import hand

POT = (0.49, 0.6)


def story() -> hand.Steps:
    yield from hand.open_footage(hand.FOOTAGE)
    hand.shot("opened")
    yield from hand.press_in_sidebar("Click Include")
    hand.shot("click-include")
    yield from hand.click_plate(*POT)
    yield lambda: len(hand.tracks()) == 1
    yield from hand.key("Escape")
    hand.shot("marked")


hand.tell(story())
