"""The tool by hand: click, Ctrl-click, drag, Shift-click; how few clicks there are to the first matte. See hand.py."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import bpy
import hand

POT, LID, BALL, HORSE = (0.49, 0.6), (0.62, 0.57), (0.275, 0.08), (0.885, 0.44)
FLOOR, SKY = (0.1, 0.2), (0.1, 0.9)
CLICKS = 5  # at most, from open footage to the first matte


def story() -> hand.Steps:
    yield from hand.open_footage(hand.FOOTAGE)
    yield from first_matte()
    yield from the_four_ways()
    yield from leaves_blender_alone()


def objects() -> dict[str, tuple[int, int]]:
    """Tracks, corners of boxes too, and boxes of each object."""
    return {o.name: (len(o.tracks), len(o.plane_tracks)) for o in hand.clip().tracking.objects if not o.is_camera}


def has(**wanted: tuple[int, int]) -> Callable[[], bool]:
    def there() -> bool:
        return objects() == wanted

    there.__doc__ = f"{wanted}"
    return there


def is_on() -> bool:
    return bool(hand.part("operators.mark_subject").is_on())


def first_matte() -> hand.Steps:
    """Three clicks: the tool, the subject, Preview."""
    before = hand.clicks
    yield from hand.press_action("Mark Subject")
    yield is_on
    hand.shot("tool-on")
    assert not hand.tracks(), "the press itself marks nothing"
    yield from hand.click_plate(*POT)
    yield has(Subject=(1, 0))
    yield from hand.press("Preview", hand.sidebar)
    yield lambda: bool(hand.part("viewer.previews").preview_of(hand.clip().name, 1))
    yield hand.moment(1.0)
    made = hand.clicks - before
    assert made <= CLICKS, made
    print(f"Clicks from open footage to the first matte: {made}", flush=True)


def the_four_ways() -> hand.Steps:
    yield from hand.click_plate(*FLOOR, "ctrl")
    yield has(Subject=(2, 0))
    assert hand.part("settings.palette").excludes(hand.tracks()[-1].color)
    yield from hand.drag(hand.pixel(0.4, 0.8), hand.pixel(0.65, 0.4))
    yield has(Subject=(6, 1))
    yield hand.moment(1.0)
    hand.shot("tool-box")
    yield from hand.key("ctrl+z")
    yield has(Subject=(2, 0))  # the box was one step
    yield from hand.key("ctrl+shift+z")
    yield has(Subject=(6, 1))
    yield from hand.press_in_sidebar("Subject")  # the list


def leaves_blender_alone() -> hand.Steps:
    yield from hand.key("Right")
    yield lambda: hand.editors()[0].spaces.active.clip_user.frame_current == 2
    yield from hand.key("Escape")
    yield lambda: not is_on()
    yield from hand.key("shift+alt+m")
    yield is_on
    yield from hand.press_action("Mark Subject")  # pressed again
    yield lambda: not is_on()
    before = len(hand.tracks())
    yield from hand.click_plate(*SKY)
    yield hand.moment(1.0)
    assert len(hand.tracks()) == before, "off is off"
    yield from hand.press_action("Mark Subject")
    yield is_on
    yield from hand.key("ctrl+n")
    yield from hand.press("VFX")
    yield from hand.press("Don't Save")
    yield lambda: not bpy.data.movieclips
    yield lambda: not is_on()
    hand.shot("tool-off")


hand.tell(story())
