"""The short story: footage is opened, marked from a button and by keys, undone, tracked, exported. See hand.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import bpy
import hand

POT = (0.49, 0.6)
FLOOR = (0.1, 0.2)


def story() -> hand.Steps:
    yield from hand.open_footage(hand.FOOTAGE)
    yield from hand.press_action("Mark Subject")
    assert not hand.tracks(), "the press itself marks nothing"
    yield from hand.click_plate(*POT)
    yield lambda: len(hand.tracks()) == 1
    u, v = hand.tracks()[0].markers[0].co
    assert abs(u - POT[0]) < 0.02 and abs(v - POT[1]) < 0.02, (u, v)
    yield from hand.key("Escape")
    yield from hand.click_plate(*FLOOR, "ctrl", "shift")
    yield lambda: len(hand.tracks()) == 2  # a key marks at once
    yield from hand.key("ctrl+z")
    yield lambda: len(hand.tracks()) == 1
    yield from hand.press_action("Preview")
    yield lambda: bool(hand.part("viewer.previews").preview_of(hand.clip().name, 1))
    yield hand.moment()
    x, y = hand.pixel(*POT)
    shown = hand.look()[y - 15 : y + 15, x - 15 : x + 15]
    assert hand.has(shown, (1.0, 1.0, 1.0)) and hand.has(shown, (0.0, 0.0, 0.0)), "the mark, with its rim"
    hand.shot("marked")

    yield from hand.press_action("Track")
    yield lambda: hand.run() is not None
    hand.shot("starting")
    yield lambda: bool(hand.run().progress) and hand.run().progress["stage"] == "track"
    hand.shot("tracking")
    tracking = hand.run()
    yield from hand.press_action("Export")  # waits its turn, unless tracking has ended meanwhile
    yield from hand.scroll("5", 80)
    hand.shot("queue", hand.sidebar())
    yield lambda: hand.run().verb == "export" and hand.idle()
    assert tracking.error is None, tracking.error
    assert hand.run().error is None, hand.run().error
    written = list(Path(hand.run().result["folder"]).glob("*.png"))
    assert len(written) == hand.clip().frame_duration, len(written)
    yield hand.moment(1.0)
    hand.shot("exported")
    _, _, right, bottom = hand.plate()
    lane = hand.look()[bottom - 60 : bottom, right - 200 : right]
    tracked = hand.part("clip.frame_status").KINDS["tracked"]
    assert hand.has(lane, tracked.colour), "the lane has the clip's frames, not the 250 of the scene"

    # Another file is opened while a Job runs: the Job ends, and the next can start at once.
    yield from hand.scroll("4", 80)
    yield from hand.click_plate(*FLOOR, "ctrl", "shift")
    yield from hand.press_action("Track")
    yield lambda: not hand.idle()
    yield from hand.key("ctrl+n")
    yield from hand.press("VFX")
    yield from hand.press("Don't Save")
    yield lambda: not bpy.data.movieclips
    assert hand.idle(), "nothing of the old file goes on"
    yield from hand.open_footage(hand.FOOTAGE, fresh=False)
    yield from hand.press_action("Mark Subject")
    yield from hand.click_plate(*POT)
    yield lambda: len(hand.tracks()) == 1
    yield from hand.key("Escape")
    yield from hand.press_action("Track")
    yield lambda: hand.run() is not None and not hand.run().active
    assert hand.run().error is None, hand.run().error


hand.tell(story())
