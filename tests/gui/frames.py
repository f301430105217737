"""A story by hand: frames are selected while a Job runs, one is dropped and taken back; a trained splat has a panel."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import bpy
import hand

POT = (0.49, 0.6)


def dropped() -> set[int]:
    """The clip frames that are not exported."""
    found: set[int] = hand.part("settings.clip_settings").settings_of(hand.clip()).dropped_frames()
    return found


def story() -> hand.Steps:
    yield from hand.open_footage(hand.FOOTAGE)
    yield from hand.click_plate(*POT, "ctrl")
    yield lambda: len(hand.tracks()) == 1
    yield from hand.press_at_end("Which Frames")
    yield from hand.press_action("Track")
    yield lambda: hand.run() is not None
    tracking = hand.run()
    yield from hand.press_at_end("Select Frames")  # waits its turn, unless tracking has ended meanwhile
    yield from hand.scroll("5", 80)
    hand.shot("queue-of-two", hand.sidebar())
    yield lambda: hand.run().verb == "select" and hand.idle()
    assert tracking.error is None, tracking.error
    assert hand.run().error is None, hand.run().error
    yield hand.moment(1.0)
    hand.shot("frames-selected", hand.sidebar())

    before = dropped()
    shown = bpy.context.scene.frame_current
    yield from hand.press_at_end("Keep This Frame" if shown in before else "Drop This Frame")
    yield lambda: dropped() == before ^ {shown}
    hand.shot("frame-dropped")
    yield from hand.key("ctrl+z")
    yield lambda: dropped() == before

    yield from hand.press_at_end("Trained Splat")
    yield from hand.scroll("5", 80)
    assert hand.seen("Clean Splat", hand.sidebar()), "its panel is open"
    hand.shot("splat", hand.sidebar())


hand.tell(story())
