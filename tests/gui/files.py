"""Files and editors while Jobs run: reverted, a scene deleted, a second editor, the extension disabled. See hand.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import bpy
import hand
import numpy as np

POT, FLOOR = (0.49, 0.6), (0.1, 0.2)


def story() -> hand.Steps:
    yield from hand.open_footage(hand.FOOTAGE)
    yield from hand.click_plate(*POT, "ctrl")
    yield lambda: len(hand.tracks()) == 1
    yield from hand.save()
    yield from reverting()
    yield from deleting_the_scene()
    yield from two_editors()


def track() -> hand.Steps:
    """Until frames come."""
    yield from hand.press_in_sidebar("Track", which=-1)
    yield lambda: not hand.idle() and bool(hand.run().progress) and hand.run().progress["stage"] == "track"


def stop() -> hand.Steps:
    yield from hand.key("Escape")
    yield hand.idle
    yield hand.moment(1.0)


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


def deleting_the_scene() -> hand.Steps:
    """What watches the Job goes on in the scene that is left."""
    yield from track()
    first = bpy.context.window_manager.windows[0].scene.name
    left, top, right, bottom = 0, 0, hand.window().width, 40
    (x, y), *_ = hand.seen("Scene", (left, top, right, bottom))
    yield from hand.click(x + 76, y)  # New Scene
    yield from hand.press("New")
    yield lambda: hand.window().scene.name != first
    (x, y), *_ = hand.seen(hand.window().scene.name, (left, top, right, bottom))
    yield from hand.click(x + 100, y)  # the cross
    yield lambda: len(bpy.data.scenes) == 1
    assert not hand.idle()
    yield from stop()
    assert type(hand.run().error).__name__ == "Cancelled", hand.run().error


def two_editors() -> hand.Steps:
    """What is done in one is seen in the other."""
    yield from hand.key("ctrl+space")
    yield hand.moment(1.0)
    second = next(
        area for area in hand.window().screen.areas if area.type == "CLIP_EDITOR" and area.spaces.active.view != "CLIP"
    )
    view = second.spaces.active.bl_rna.properties["view"].enum_items[second.spaces.active.view].name
    yield from hand.press(view, lambda: hand.header(second))
    yield from hand.press("Clip")
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


hand.tell(story())
