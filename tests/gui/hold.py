"""A story by hand: frames are held while others are tracked again, and a correction goes on from its own frame."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import hand
import numpy as np

SUBJECT, WRONG, ALSO_WRONG = (0.49, 0.6), (0.62, 0.57), (0.4, 0.05)
RANGE = 6  # frames


def story() -> hand.Steps:
    yield from hand.open_footage(hand.FOOTAGE)
    yield from hand.click_plate(*SUBJECT, "ctrl")
    yield from hand.press_in_sidebar("Range")
    yield lambda: settings().use_range
    yield from hand.type_into("Frames", "1", str(RANGE), below="Range")
    yield lambda: settings().range_end == RANGE
    yield from track()
    yield from holding()
    yield from from_here_on()


def settings():
    return hand.clip().splat_matte


def held() -> list[tuple[int, int]]:
    return [(run.first, run.last) for run in settings().objects["Camera"].held_runs()]


def mattes() -> dict[int, np.ndarray]:
    take = Path(settings().take_of("Camera"))
    read, file = hand.part("results.take_reader").read_logits, hand.part("contract.layout").matte_file
    return {frame: read(file(take, frame)) for frame in range(1, RANGE + 1)}


def track() -> hand.Steps:
    last = hand.run()
    yield from hand.press_action("Track")
    yield lambda: hand.run() is not last and hand.idle()
    assert hand.run().error is None, hand.run().error


def go_to(frame: int) -> hand.Steps:
    for _ in range(frame - shown()):
        yield from hand.key("Right")
    yield lambda: shown() == frame


def shown() -> int:
    return hand.editors()[0].spaces.active.clip_user.frame_current


def holding() -> hand.Steps:
    before = mattes()
    yield from hand.press_in_sidebar("Hold")  # the panel, which opens
    yield hand.moment(1.0)
    yield from hand.scroll_to("From Here On", hand.sidebar)
    yield from hand.type_into("Frames", "2", "4", below="Hold")
    yield lambda: (settings().hold_start, settings().hold_end) == (2, 4)
    yield from hand.press("Hold", hand.sidebar, which=1)
    yield lambda: held() == [(2, 4)]
    yield hand.moment(1.0)
    hand.shot("held", hand.sidebar())
    yield from go_to(5)
    yield from hand.click_plate(*WRONG, "ctrl", "shift")
    yield lambda: len(hand.tracks()) == 2
    yield from track()
    after = mattes()
    assert [np.array_equal(before[frame], after[frame]) for frame in (2, 3, 4, 5, 6)] == [
        True,
        True,
        True,
        False,
        False,
    ]
    yield hand.moment(1.0)
    hand.shot("pieced-together")


def from_here_on() -> hand.Steps:
    yield from hand.scroll_to("2 to 4", hand.sidebar)
    yield from hand.click(hand.sidebar()[2] - 40, hand.seen("2 to 4", hand.sidebar())[0][1])  # ×
    yield lambda: held() == []
    yield from track()
    before, last = mattes(), hand.run()
    yield from hand.click_plate(*ALSO_WRONG, "ctrl", "shift")
    yield lambda: len(hand.tracks()) == 3
    yield from hand.scroll_to("Nothing is held", hand.sidebar)
    yield from hand.press("From Here On", hand.sidebar)
    yield lambda: hand.run() is not last and hand.idle()
    assert hand.run().error is None, hand.run().error
    assert held() == [(1, 4)]
    assert hand.run().progress["total"] == RANGE - 4, "frames before are not tracked again"
    after = mattes()
    assert all(np.array_equal(before[frame], after[frame]) for frame in range(1, 5))
    yield hand.moment(1.0)
    hand.shot("from-here-on")
    yield from hand.key("ctrl+z")
    yield lambda: held() == []


hand.tell(story())
