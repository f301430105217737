"""A story by hand: of a panorama the tripod and the operator are found, more is drawn; it becomes pinhole views.

See hand.py; write_panorama.py renders the footage. Its pictures are those of docs/user-guide.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import bpy
import hand
import numpy as np

STATUE, FLOOR = (0.42, 0.46), (0.5, 0.3)
OPERATOR = (0.684, 0.2)
CORNERS = (0.56, 0.14), (0.64, 0.14), (0.64, 0.3), (0.56, 0.3)  # of what is drawn: beside the operator
FRAMES, VIEWS = 12, 6


def story() -> hand.Steps:
    yield from hand.open_footage(hand.FOOTAGE)
    yield from hand.scroll("4", 2, hand.plate)  # larger
    yield from hand.press("360° Panorama", hand.sidebar)
    yield lambda: settings().panorama
    yield from finding()
    yield from drawing()
    yield from tracking()
    yield from exporting()


def settings():
    return hand.clip().splat_matte


def finding() -> hand.Steps:
    operator, floor = hand.at(*OPERATOR), hand.at(*FLOOR)
    yield from hand.press("Static Mask", hand.sidebar)
    yield from hand.press_in_sidebar("Find What Stands Still")
    yield lambda: hand.run() is not None and hand.idle()
    assert hand.run().error is None, hand.run().error
    assert Path(bpy.path.abspath(settings().static_file)).name == "static.png"
    yield lambda: np.abs(hand.at(*OPERATOR) - operator).max() > 20  # in stripes, though nothing is marked
    yield hand.moment(1.0)
    assert np.abs(hand.at(*FLOOR) - floor).max() < 8, "and nothing else"
    hand.shot("static-mask")


def drawing() -> hand.Steps:
    """In Blender's own mode for masks: clicks with Ctrl set points, Alt-C closes the outline."""
    beside = hand.at(0.6, 0.2)
    yield from hand.press("Tracking", lambda: hand.header(hand.editors()[0]))
    yield from hand.press("Mask")
    yield lambda: hand.editors()[0].spaces.active.mode == "MASK"
    yield hand.moment(1.0)
    yield from hand.press("New", lambda: hand.header(hand.editors()[0]))
    yield lambda: len(bpy.data.masks) == 1
    for corner in CORNERS:
        yield from hand.click_plate(*corner, "ctrl")
    yield from hand.key("alt+c")
    yield from hand.press("Mask", lambda: hand.header(hand.editors()[0]))
    yield from hand.press("Tracking")
    yield lambda: hand.editors()[0].spaces.active.mode == "TRACKING"
    yield from hand.click(*mask_field())
    yield hand.moment(1.0)
    hand.xdotool("type", "Mask")
    yield hand.moment()
    hand.xdotool("key", "Return")
    yield lambda: settings().static_mask is not None
    yield lambda: np.abs(hand.at(0.6, 0.2) - beside).max() > 20
    hand.shot("static-mask-drawn")


def mask_field() -> tuple[int, int]:
    """Above that of the image."""
    _, y = hand.seen("Image", hand.sidebar())[0]
    return hand.sidebar()[2] - hand.scaled(90), y - hand.scaled(25)


def tracking() -> hand.Steps:
    yield from hand.press_action("Mark Subject")
    yield from hand.click_plate(*STATUE)
    yield lambda: len(hand.tracks()) == 1
    yield from hand.key("Escape")
    yield from hand.press_action("Track")
    yield lambda: hand.run().verb == "track" and hand.idle()
    assert hand.run().error is None, hand.run().error


def exporting() -> hand.Steps:
    yield from hand.scroll("5", 80)
    yield from hand.press_in_sidebar("Postshot")
    yield hand.moment(1.0)
    yield from hand.press("Pinhole Rig")
    yield lambda: settings().target == "pinhole"
    yield from hand.scroll_to("Views", hand.sidebar)
    yield hand.moment(1.0)
    hand.shot("pinhole-rig")
    yield from hand.press_action("Export")
    yield lambda: hand.run().verb == "export" and hand.idle()
    assert hand.run().error is None, hand.run().error
    version = Path(hand.run().result["folder"])
    assert (version / "rig_config.json").is_file()
    for kind in ("images", "masks"):
        assert len(list((version / kind).glob("*/*.png"))) == FRAMES * VIEWS, kind


hand.tell(story())
