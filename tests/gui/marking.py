"""The tool by hand: from enabling the extension to the first matte; click, Ctrl-click, drag, Shift-click; marks of two
objects on three frames: gone to from their rows, removed, brought back. See hand.py.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import bpy
import hand

POT, LID, HORSE = (0.49, 0.6), (0.62, 0.57), (0.885, 0.44)
FLOOR, BESIDE = (0.1, 0.2), (0.3, 0.3)
BOX = (0.4, 0.85), (0.7, 0.4)
CLICKS = 5  # at most, from open footage to the first matte
ADD, CROSS = 52, 52  # pixels from the sidebar's right edge, at a scale of 1: the list's plus, a row's cross


def story() -> hand.Steps:
    yield from hand.open_tab()
    yield from hand.find_add_on()
    yield from hand.switch_add_on()
    yield lambda: not hand.add_on_is_on()
    yield from hand.switch_add_on()
    yield hand.add_on_is_on
    enabled = hand.clicks, time.monotonic()
    yield from hand.put_preferences_away()
    if not hand.seen("Open Footage", hand.sidebar()):  # a press on a tab that is open closes it
        yield from hand.press("Splat Matte", lambda: hand.box(hand.region("UI")), turned=True)
    yield from hand.load(hand.FOOTAGE)
    yield from first_matte(*enabled)
    yield from four_ways()
    yield from two_objects()
    yield from rows()
    yield from ends()


def objects() -> dict[str, tuple[int, int]]:
    """Tracks, corners of boxes too, and boxes of each object."""
    return {o.name: (len(o.tracks), len(o.plane_tracks)) for o in hand.clip().tracking.objects if not o.is_camera}


def has(**wanted: tuple[int, int]) -> Callable[[], bool]:
    def there() -> bool:
        return objects() == wanted

    there.__doc__ = f"{wanted}"
    return there


def active(name: str) -> Callable[[], bool]:
    def there() -> bool:
        return bool(hand.clip().tracking.objects.active.name == name)

    there.__doc__ = f"{name} is active"
    return there


def shows(frame: int) -> Callable[[], bool]:
    def there() -> bool:
        return bool(hand.editors()[0].spaces.active.clip_user.frame_current == frame)

    there.__doc__ = f"frame {frame} is shown"
    return there


def is_on() -> bool:
    return bool(hand.part("operators.mark_subject").is_on())


def first_matte(clicks: int, enabled: float) -> hand.Steps:
    """Three clicks: the tool, the subject, Preview. clicks: so many were made when it was enabled, at that time."""
    before, opened = hand.clicks, time.monotonic()
    yield from hand.press("Mark Subject", hand.sidebar)
    yield is_on
    assert not hand.tracks(), "the press itself marks nothing"
    yield from hand.click_plate(*POT)
    yield has(Subject=(1, 0))
    yield from hand.press("Preview", hand.sidebar)
    yield lambda: bool(hand.part("viewer.previews").preview_of(hand.clip().name, 1))
    made = hand.clicks - before
    assert made <= CLICKS, made
    now = time.monotonic()
    print(f"From open footage to the first matte: {made} clicks, {now - opened:.1f} s", flush=True)
    print(f"From enabling to the first matte: {hand.clicks - clicks} clicks, {now - enabled:.1f} s", flush=True)
    yield hand.moment(1.0)
    hand.shot("tool-on")


def four_ways() -> hand.Steps:
    yield from hand.click_plate(*FLOOR, "ctrl")
    yield has(Subject=(2, 0))
    assert hand.part("settings.palette").excludes(hand.tracks()[-1].color)
    yield from hand.drag(hand.pixel(*BOX[0]), hand.pixel(*BOX[1]))
    yield has(Subject=(6, 1))
    yield from hand.key("ctrl+z")
    yield has(Subject=(2, 0))  # the box was one step
    yield from hand.key("ctrl+shift+z")
    yield has(Subject=(6, 1))
    right = hand.sidebar()[2]
    yield from hand.click(right - hand.scaled(ADD), in_list()["Subject"][1])
    yield active("Object")
    yield from hand.click_plate(*HORSE)
    yield has(Subject=(6, 1), Object=(1, 0))
    yield from hand.click_plate(*POT, "shift")
    yield active("Subject")


def in_list() -> dict[str, tuple[int, int]]:
    """Where the first object's name is in the list, right of where its panel has its title; the second's is below."""
    left, _, right, bottom = hand.sidebar()
    _, title = hand.seen("Static Mask", hand.sidebar())[0]
    x, y = hand.seen("Subject", (left + hand.scaled(45), title, right, bottom))[0]
    return {"Subject": (x, y), "Object": (x, y + hand.scaled(20))}


def two_objects() -> hand.Steps:
    """On three frames."""
    yield from hand.key("Right")
    yield shows(2)
    yield from hand.click_plate(*LID)
    yield has(Subject=(7, 1), Object=(1, 0))
    yield from hand.key("Right")
    yield shows(3)
    yield from hand.click(*in_list()["Object"])
    yield active("Object")
    yield from hand.click_plate(*BESIDE, "ctrl")
    yield has(Subject=(7, 1), Object=(2, 0))
    yield hand.moment(1.0)
    hand.shot("marks-of-two-objects")
    red = hand.part("settings.palette").EXCLUDE
    x, y = hand.pixel(*BESIDE)
    assert hand.has(hand.look()[y - 15 : y + 15, x - 15 : x + 15], red), "the rim of what excludes"


def rows() -> hand.Steps:
    yield from hand.press_in_sidebar("Frame 1: Include")
    yield shows(1)
    yield hand.moment(1.0)
    hand.shot("marks-row", hand.sidebar())
    right = hand.sidebar()[2]
    _, y = hand.seen("Frame 3: Exclude", hand.sidebar())[0]
    yield from hand.click(right - hand.scaled(CROSS), y)
    yield has(Subject=(7, 1), Object=(1, 0))
    yield from hand.key("ctrl+z")
    yield has(Subject=(7, 1), Object=(2, 0))
    assert is_on(), "undo leaves the tool on"


def ends() -> hand.Steps:
    """By Esc, pressed again, and when another file is opened."""
    yield from hand.key("Escape")
    yield lambda: not is_on()
    marked = objects()
    yield from hand.click_plate(*FLOOR)
    yield hand.moment(1.0)
    assert objects() == marked, "off is off"
    yield from hand.key("shift+alt+m")
    yield is_on
    yield from hand.press("Mark Subject", hand.sidebar)
    yield lambda: not is_on()
    yield from hand.press("Mark Subject", hand.sidebar)
    yield is_on
    yield from hand.key("ctrl+n")
    yield from hand.press("VFX")
    yield from hand.press("Don't Save")
    yield lambda: not bpy.data.movieclips
    yield lambda: not is_on()
    yield hand.moment(1.0)
    hand.shot("tool-off")


hand.tell(story())
