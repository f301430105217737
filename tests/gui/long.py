"""The long story: mark, preview, track, stop, correct, undo and redo, review, look, finish, export. See hand.py.

Pictures of it are in docs/.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import hand
import numpy as np

POT, LID = (0.49, 0.6), (0.62, 0.57)
BELLY = (0.44, 0.52)  # of the pot, without a mark
FLOOR, BESIDE = (0.1, 0.2), (0.15, 0.5)  # the second without a mark
RANGE = 12  # frames that are tracked


def story() -> hand.Steps:
    yield from hand.open_tab()
    hand.shot("no-footage", hand.sidebar())
    yield from hand.load(hand.FOOTAGE)
    hand.shot("nothing-marked", hand.sidebar())
    yield from marking()
    yield from tracking()
    yield from correcting()
    yield from looking()
    yield from finishing()
    yield from exporting()


def settings():
    return hand.clip().splat_matte


def lane(kind: str) -> set[int]:
    return hand.part("clip.frame_status").lane_of(hand.clip())[kind]


def lane_colours() -> np.ndarray:
    """The lowest rows of the clip, over its whole width."""
    left, _, right, bottom = hand.plate()
    return hand.look()[bottom - 80 : bottom, (left + right) // 2 : right]


def shows(kind: str) -> bool:
    return hand.has(lane_colours(), hand.part("clip.frame_status").KINDS[kind].colour)


def shown() -> int:
    return hand.editors()[0].spaces.active.clip_user.frame_current


def marking() -> hand.Steps:
    yield from hand.press_action("Mark Subject")
    for count, spot in enumerate((POT, LID), 1):
        yield from hand.click_plate(*spot)
        yield lambda count=count: len(hand.tracks()) == count
    yield from hand.key("Escape")
    yield from hand.click_plate(*FLOOR, "ctrl", "shift")
    yield lambda: len(hand.tracks()) == 3
    yield from hand.scroll("4", 80)
    where = dict(zip(("Preview", "Track"), (places("Preview"), places("Track")), strict=True))
    yield from hand.press_action("Preview")
    yield lambda: bool(hand.part("viewer.previews").preview_of(hand.clip().name, 1))
    yield hand.moment(1.0)
    assert {word: places(word) for word in where} == where, "a button does not move when words above it change"
    hand.shot("marked")


def places(text: str) -> tuple[int, int]:
    """Of the first button in the sidebar with this word."""
    return hand.seen(text, hand.sidebar())[0]


def tracking() -> hand.Steps:
    yield from hand.press_in_sidebar("Range")
    yield lambda: settings().use_range
    yield from hand.type_into("Frames", "1", str(RANGE), below="Range")
    assert (settings().range_start, settings().range_end) == (1, RANGE)
    yield from hand.press_action("Track")
    yield lambda: bool(hand.run()) and bool(hand.run().progress) and hand.run().progress["stage"] == "track"
    hand.shot("tracking")
    yield from hand.key("Escape")
    yield hand.idle
    yield hand.moment(1.0)
    assert type(hand.run().error).__name__ == "Cancelled", hand.run().error
    hand.shot("stopped", hand.sidebar())

    yield from hand.press_action("Track")
    yield lambda: not hand.idle()
    os.kill(hand.run().engine.pid, 9)
    yield hand.idle
    yield hand.moment(1.0)
    yield from hand.key("Escape")  # closes the message, which takes all keys
    yield from hand.scroll("5", 12)
    hand.shot("engine-died", hand.sidebar())

    yield from hand.press_action("Track")
    yield lambda: not hand.idle()
    yield hand.idle
    assert hand.run().error is None, hand.run().error
    assert lane("tracked") == set(range(1, RANGE + 1))
    yield hand.moment(1.0)

    # one frame on, by its key, from the last: the range ends there, so it goes nowhere; from the first it goes along
    yield from hand.key("alt+period")
    yield hand.idle
    yield lambda: shown() == 2
    yield hand.moment(1.0)
    hand.shot("step-by-step")


def correcting() -> hand.Steps:
    takes = settings().take_of("Subject")
    yield from hand.click_plate(0.4, 0.05, "ctrl", "shift")
    yield lambda: len(hand.tracks()) == 4
    yield hand.moment(1.0)
    assert lane("stale") == set(range(1, RANGE + 1)), "the old mattes stay, as stale ones"
    hand.shot("stale")
    yield from hand.press_action("Track")
    yield lambda: not hand.idle()
    yield hand.idle
    assert hand.run().error is None, hand.run().error
    assert settings().take_of("Subject") != takes
    corrected = settings().take_of("Subject")
    yield hand.moment(1.0)
    yield from hand.key("ctrl+z")
    yield lambda: len(hand.tracks()) == 3  # the mark goes, what was tracked stays
    assert corrected in settings().objects["Subject"].takes()
    assert lane("tracked") | lane("stale") >= set(range(1, RANGE + 1))
    yield from hand.key("ctrl+shift+z")
    yield lambda: len(hand.tracks()) == 4
    assert lane("tracked") == set(range(1, RANGE + 1))
    yield from hand.key("alt+Prior")
    yield lambda: shown() == 1  # a marked frame


def looking() -> hand.Steps:
    filled, floor = hand.at(*BELLY), hand.at(*BESIDE)
    hand.shot("overlay-fill")
    yield from hand.choose_in_overlays("Fill", "Outline")
    yield lambda: settings().overlay_style == "outline"
    yield hand.moment(1.0)
    hand.shot("overlay-outline")
    assert np.abs(hand.at(*BELLY) - filled).max() > 12, "no fill any more"
    yield from hand.choose_in_overlays("Outline", "Checkerboard")
    yield lambda: settings().overlay_style == "checker"
    yield hand.moment(1.0)
    hand.shot("overlay-checker")
    assert np.ptp(hand.at(*BESIDE)) < 6, "grey instead of the plate"
    for _ in range(3):  # a popover that is still there takes the key
        yield from hand.key("alt+shift+w")
        yield hand.moment(1.0)
        if settings().overlay_wipe:
            break
    yield from hand.move(*hand.pixel(0.55, 0.7))
    yield from hand.click(*hand.pixel(0.55, 0.7))
    yield hand.moment(1.0)
    assert abs(settings().overlay_split - 0.55) < 0.02, settings().overlay_split
    assert np.abs(hand.at(*BESIDE) - floor).max() < 8, "the plate, on the left of the line"
    hand.shot("overlay-wipe")
    yield from hand.key("alt+shift+w")
    yield from hand.key("Escape")
    yield lambda: not settings().overlay_wipe


def finishing() -> hand.Steps:
    """The overlay follows it without being asked, and nothing is tracked."""
    before = hand.run()
    assert np.ptp(hand.at(*BESIDE)) < 6
    yield from hand.press_in_sidebar("Finishing")
    yield hand.moment(1.0)
    yield from hand.press_in_sidebar("Invert")
    chosen = settings().objects["Subject"].finishing
    yield lambda: chosen.invert
    yield lambda: np.ptp(hand.at(*BESIDE)) >= 6 or hand.at(*BESIDE).max() > 100  # the plate, where grey was
    yield hand.moment(1.0)
    hand.shot("finishing")
    assert hand.run() is before
    yield from hand.press_in_sidebar("Invert")
    yield lambda: not settings().objects["Subject"].finishing.invert
    yield from hand.press_in_sidebar("Finishing")
    yield from hand.choose_in_overlays("Checkerboard", "Fill")
    yield lambda: settings().overlay_style == "fill"


def exporting() -> hand.Steps:
    yield from hand.press_action("Export")
    yield lambda: hand.run().verb == "export"
    yield hand.idle
    assert hand.run().error is None, hand.run().error
    written = list(Path(hand.run().result["folder"]).glob("*.png"))
    assert len(written) == RANGE, len(written)
    yield hand.moment(1.0)
    yield from hand.scroll("5", 80)
    hand.shot("export-panel", hand.sidebar())
    assert lane("exported") == set(range(1, RANGE + 1))
    yield from hand.press("To Mask", hand.sidebar)
    yield from hand.press("OK")
    yield lambda: bool(len(hand.bpy.data.masks))
    yield from hand.press("Tracking", lambda: hand.header(hand.editors()[0]))
    yield from hand.press("Mask")
    yield lambda: hand.editors()[0].spaces.active.mode == "MASK"
    yield from hand.move(*hand.pixel(0.9, 0.9))  # away from the toolbar, which would explain itself
    yield hand.moment(1.0)
    hand.shot("mattes-to-mask")


hand.tell(story())
