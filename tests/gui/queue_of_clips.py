"""A story by hand: three Jobs of two clips; the second is removed while the first runs, then the third has its turn."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import bpy
import hand

POT = (0.49, 0.6)
LONG = hand.FOOTAGE.parent.with_name("long")
TIMES = 15  # as many frames as the other clip has, so that there is time to press what waits
TO_LIST = -70  # pixels from a clip's name in the header to the list of clips
TO_CROSS, BELOW = -49, 20  # pixels from the sidebar's right edge to a cross, from a Job's name down to it


def story() -> hand.Steps:
    LONG.mkdir()
    pictures = sorted(hand.FOOTAGE.parent.iterdir())
    for number, picture in enumerate(pictures * TIMES, 1):
        shutil.copyfile(picture, LONG / f"long.{number:04d}{picture.suffix}")
    yield from hand.open_footage(hand.FOOTAGE)
    yield from marked(1)
    yield from hand.key("alt+o")
    yield from hand.choose(min(LONG.iterdir()))
    yield lambda: shown().startswith("long.")
    yield from hand.key("Home")
    yield from marked(2)
    yield from three_jobs()


def shown() -> str:
    return str(hand.editors()[0].spaces.active.clip.name)


def marked(count: int) -> hand.Steps:
    yield from hand.click_plate(*POT, "ctrl")
    yield lambda: sum(len(o.tracks) for clip in bpy.data.movieclips for o in clip.tracking.objects) == count


def waiting() -> list[tuple[str, str]]:
    """What runs, then what waits: clip and verb."""
    return [(run.clip, run.verb) for run in hand.part("tasks.job_run").pending()]


def three_jobs() -> hand.Steps:
    yield from hand.press_action("Track")
    yield lambda: len(waiting()) == 1
    tracking = hand.run()
    yield from hand.press_action("Export")
    yield lambda: len(waiting()) == 2
    (x, y) = hand.seen(shown(), hand.header(hand.editors()[0]))[0]
    yield from hand.click(x + TO_LIST, y)
    yield from hand.press(hand.FOOTAGE.name, which=1)  # the first is the end of the name that is shown
    yield lambda: shown() == hand.FOOTAGE.name
    yield from hand.press_action("Track")
    long, short = min(LONG.iterdir()).name, hand.FOOTAGE.name
    yield lambda: waiting() == [(long, "track"), (long, "export"), (short, "track")]
    yield from hand.scroll("5", 80)
    hand.shot("queue-of-three", hand.sidebar())
    (_, y) = hand.seen(f"{long}: Export", hand.sidebar())[-1]
    yield from hand.click(hand.sidebar()[2] + TO_CROSS, y + BELOW)
    yield lambda: waiting() == [(long, "track"), (short, "track")]
    yield hand.idle
    assert (tracking.clip, tracking.error) == (long, None)
    assert (hand.run().clip, hand.run().verb, hand.run().error) == (short, "track", None)
    assert not list(LONG.glob("*_matte/v*")), "what was removed has written nothing"


hand.tell(story())
