"""A story by hand: a stroke of Annotate becomes points, the scene gets the clip's frames, a preset is kept."""

from __future__ import annotations

import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import hand

START, END = (0.42, 0.55), (0.56, 0.6)  # of a line on the subject
HEADER_ICON = 66  # pixels from the sidebar's right border to the icon in a panel's header
PLUS = 36  # pixels from there to the right, in its popover


def story() -> hand.Steps:
    yield from hand.open_footage(hand.FOOTAGE)
    yield from hand.press_in_sidebar("Set Scene Frames")
    yield lambda: bpy.context.scene.frame_end == hand.clip().frame_duration
    yield from drawing()
    yield from presets()


def points() -> list[bool]:
    marked = hand.part("clip.summary").summary_of(hand.clip()).marked
    return [point.include for prompts in marked.values() for prompt in prompts for point in prompt.points]


def drawing() -> hand.Steps:
    yield from hand.move(*hand.pixel(*START))
    hand.xdotool("keydown", "d")
    yield from hand.drag(hand.pixel(*START), hand.pixel(*END))
    hand.xdotool("keyup", "d")
    yield lambda: hand.part("clip.strokes").annotation_of(hand.clip()) is not None
    assert points() == []
    yield from hand.press_in_sidebar("Strokes")
    yield hand.moment(1.0)
    yield from hand.edit_beside("Include", "Strokes")
    yield from hand.press("Note")
    yield lambda: 4 <= len(points()) <= 8
    assert all(points())
    yield hand.moment(1.0)
    hand.shot("strokes")


def presets() -> hand.Steps:
    finishing = hand.clip().splat_matte.objects["Camera"].finishing
    yield from hand.press_in_sidebar("Finishing")
    yield hand.moment(1.0)
    yield from hand.scroll_to("Grow", hand.sidebar)
    yield from hand.type_into("Grow", "2", below="Finishing")
    yield lambda: finishing.grow == 2
    yield from open_presets()
    yield from hand.press("New Preset")
    yield hand.moment()
    hand.xdotool("key", "ctrl+a")
    hand.xdotool("type", "--delay", "15", "Outdoor")
    hand.xdotool("key", "Return")
    yield hand.moment(1.0)
    hand.shot("presets")
    yield from hand.click(hand.sidebar()[2] - HEADER_ICON + PLUS, hand.seen("Outdoor")[-1][1])
    yield lambda: bool(bpy.utils.preset_find("Outdoor", "splat_matte/finishing"))
    yield hand.moment()
    yield from hand.move(200, 500)
    yield from hand.type_into("Grow", "0", below="Finishing")
    yield lambda: finishing.grow == 0
    yield from open_presets()
    yield from hand.press("Outdoor")
    yield lambda: finishing.grow == 2


def open_presets() -> hand.Steps:
    _, y = hand.seen("Finishing", hand.sidebar())[0]
    yield from hand.click(hand.sidebar()[2] - HEADER_ICON, y)
    yield hand.moment(1.0)


hand.tell(story())
