"""A file is saved, and reverted while a Job runs. See hand.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import hand

POT, FLOOR = (0.49, 0.6), (0.1, 0.2)


def story() -> hand.Steps:
    yield from hand.open_footage(hand.FOOTAGE)
    yield from hand.click_plate(*POT, "ctrl")
    yield lambda: len(hand.tracks()) == 1
    yield from hand.save()
    yield from reverting()


def track() -> hand.Steps:
    """Until frames come."""
    yield from hand.press_action("Track")
    yield lambda: not hand.idle() and bool(hand.run().progress) and hand.run().progress["stage"] == "track"


def reverting() -> hand.Steps:
    """The file is loaded anew while a Job runs: the Job ends, and the next one can start."""
    yield from hand.click_plate(*FLOOR, "ctrl", "shift")
    yield lambda: len(hand.tracks()) == 2
    yield from track()
    yield from hand.press("File")
    yield from hand.press("Revert")
    yield from hand.press("Revert", which=-1)
    yield lambda: len(hand.tracks()) == 1
    assert hand.idle(), "nothing of before goes on"
    yield hand.moment(1.0)
    hand.shot("reverted")


hand.tell(story())
