"""While a Job runs its scene is deleted, and the extension switched off and on; then two editors. See hand.py."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import bpy
import hand
import numpy as np

POT, FLOOR = (0.49, 0.6), (0.1, 0.2)
BELLY = (0.44, 0.52)  # of the pot, without a mark
CORNER = 5  # pixels from an editor's corner, which splits it where it is dragged
TO_NEW, TO_DELETE = -105, -82  # pixels from the name of the view layer to the buttons of the scene


def story() -> hand.Steps:
    yield from hand.open_footage(hand.FOOTAGE)
    yield from hand.click_plate(*POT, "ctrl")
    yield lambda: len(hand.tracks()) == 1
    yield from deleting_the_scene()
    yield from switching_off()
    yield from two_editors()


def track() -> hand.Steps:
    """Until frames come."""
    yield from hand.press_action("Track")
    yield lambda: not hand.idle() and bool(hand.run().progress) and hand.run().progress["stage"] == "track"


def press_beside(word: str, pixels: int, within: hand.Box) -> hand.Steps:
    (x, y) = hand.seen(word, within)[-1]
    yield from hand.click(x + pixels, y)


def deleting_the_scene() -> hand.Steps:
    """The scene in which a Job was started is deleted: the Job goes on or ends, and another one can start."""
    scenes = 0, 0, hand.window().width, 30
    yield from press_beside("ViewLayer", TO_NEW, scenes)
    yield from hand.press("Linked Copy")
    yield lambda: len(bpy.data.scenes) == 2
    yield hand.moment(1.0)
    yield from track()
    yield from press_beside("ViewLayer", TO_DELETE, scenes)
    yield lambda: len(bpy.data.scenes) == 1
    yield hand.idle
    yield hand.moment(1.0)
    yield from hand.click_plate(*FLOOR, "ctrl", "shift")
    yield lambda: len(hand.tracks()) == 2


def switching_off() -> hand.Steps:
    """The extension is disabled while a Job runs: its engine ends. Enabled again, it works as before."""

    def engine_is_gone() -> bool:
        try:
            os.kill(engine, 0)
        except ProcessLookupError:
            return True
        return False

    yield from track()
    engine = hand.run().engine.pid
    yield from hand.find_add_on()
    yield from hand.switch_add_on()
    yield lambda: not hand.add_on_is_on()
    hand.shot("switched-off")
    yield engine_is_gone
    yield from hand.switch_add_on()
    yield hand.add_on_is_on
    yield from hand.put_preferences_away()
    if not hand.seen("Mark Subject", hand.sidebar()):  # Blender may go back to our tab, and a press would close it then
        yield from hand.press("Splat Matte", lambda: hand.box(hand.region("UI")), turned=True)
    yield from hand.press_action("Track")
    yield lambda: hand.run() is not None and not hand.run().active
    assert hand.run().error is None, hand.run().error


def two_editors() -> hand.Steps:
    """The clip in two editors: what is changed in one is seen in the other at once."""
    yield from hand.key("ctrl+space")
    yield hand.moment(1.0)
    for bar in ("n", "t"):  # both closed: half of the editor has no room for them beside the clip
        yield from hand.key(bar)
        yield hand.moment(1.0)
    left, _, right, bottom = hand.box(hand.editors()[0])
    corner = hand.scaled(CORNER)
    yield from hand.drag((left + corner, bottom - corner), ((left + right) // 2, bottom - corner))
    yield lambda: len(hand.editors()) > 1
    yield hand.moment(1.0)
    first, second = (editor for editor in hand.editors() if editor.y == hand.editors()[0].y)
    for editor in (first, second):
        left, top, right, bottom = hand.box(editor)
        yield from hand.key("Home", over=(left + 60, (top + bottom) // 2))
    yield hand.moment(1.0)
    filled = hand.at(*BELLY, second)
    left, top, right, bottom = hand.box(first)
    yield from hand.key("alt+shift+w", over=(left + 60, (top + bottom) // 2))
    yield from hand.move(*hand.pixel(0.55, 0.7, first))
    yield hand.moment(1.0)
    assert np.abs(hand.at(*BELLY, second) - filled).max() > 12, "the plate on the left of the line, there too"
    hand.shot("two-editors")
    yield from hand.key("Escape", over=hand.pixel(0.55, 0.7, first))
    yield hand.moment(1.0)
    assert np.abs(hand.at(*BELLY, second) - filled).max() < 8, "and the matte again"


hand.tell(story())
