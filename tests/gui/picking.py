"""Picking what was found, by clicks, with things as good weights find them. See hand.py."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import hand
import numpy as np

POT, BALL, HORSE = (0.49, 0.6), (0.275, 0.08), (0.885, 0.44)  # of demo/clips/toy
WHITE = (1.0, 1.0, 1.0)


def story() -> hand.Steps:
    yield from hand.open_footage(hand.FOOTAGE)
    yield from hand.press_in_sidebar("Range")
    yield lambda: settings().use_range
    yield from hand.type_into("Frames", "1", "2", below="Range")
    yield lambda: (settings().range_start, settings().range_end) == (1, 2)
    write_things()
    plate, horse = hand.at(*POT), hand.at(*HORSE)
    yield from hand.press_in_sidebar("Without Clicking")
    yield from hand.press_in_sidebar("Find Things")
    yield lambda: bool(settings().found.folder) and hand.idle()
    assert hand.run().error is None, hand.run().error
    assert len(hand.part("viewer.sources").found_of(hand.clip(), 1)) == 4, "all are shown while nothing is picked"
    yield from hand.press_in_sidebar("Pick")
    yield from hand.move(*hand.pixel(*BALL))
    yield lit(BALL)
    yield from hand.click_plate(*BALL)
    yield picked("2")
    yield from hand.click_plate(*POT)
    yield picked("1, 2")
    yield from hand.key("Right")
    yield lambda: shown() == 2
    yield from hand.move(*hand.pixel(*HORSE))
    yield lit(HORSE)
    yield from hand.click_plate(*HORSE)
    yield picked("1, 2, 3")  # the outlines follow the frame
    yield from hand.click_plate(*BALL)
    yield picked("1, 3")  # a second click takes it back
    yield from hand.key("ctrl+z")
    yield picked("1, 2, 3")  # a click can be undone
    yield from hand.click_plate(*HORSE)
    yield from hand.key("Left")
    yield lambda: shown() == 1
    yield from hand.move(*hand.pixel(*HORSE))
    yield lit(HORSE)
    hand.shot("picking")
    yield from hand.key("Escape")
    yield picked("1, 2")
    yield hand.moment(1.0)
    assert not hand.has(around(HORSE), WHITE), "no outlines after Esc"
    assert tinted(hand.at(*POT), plate, hand.part("settings.palette").colour_of(1)), "what is picked is shown"
    assert np.abs(hand.at(*HORSE) - horse).max() < 8, "and nothing else"
    yield from hand.press_at_end("Parts")  # "Farm" further up looks like it
    yield lambda: settings().automatic == "parts"
    yield from hand.move(*hand.pixel(*HORSE))  # away from where it shows a tooltip
    yield hand.moment(1.0)
    hand.shot("find-parts", hand.sidebar())
    assert np.abs(hand.at(*POT) - plate).max() < 8, "each kind has its own"


def settings():
    return hand.clip().splat_matte


def shown() -> int:
    return hand.editors()[0].spaces.active.clip_user.frame_current


def picked(numbers: str) -> Callable[[], bool]:
    def there() -> bool:
        return settings().found.numbers == numbers

    there.__doc__ = f"{numbers} are picked"
    return there


def lit(spot: tuple[float, float]) -> Callable[[], bool]:
    """Whether what is there has a white outline, as what is under the mouse has."""
    return lambda: hand.has(around(spot), WHITE)


def around(spot: tuple[float, float]) -> np.ndarray:
    x, y = hand.pixel(*spot)
    return hand.look()[y - 90 : y + 90, x - 90 : x + 90]


def tinted(now: np.ndarray, before: np.ndarray, colour: tuple[float, ...]) -> bool:
    """Whether a colour has moved towards another, 0..1 each."""
    wanted = np.array(colour) * 255
    return bool(np.abs(now - wanted).sum() < np.abs(before - wanted).sum() - 20)


def write_things() -> None:
    """By the engine's Python, into the folder where the Job that *Find Things* makes will look."""
    search = hand.part("settings.pick_settings").search_of("things", ())
    device = hand.part("settings.preferences").preferences().device
    job, _ = hand.part("clip.to_job").make_automatic_job(hand.clip(), device, False, **search)
    with tempfile.TemporaryDirectory() as room:
        file = Path(room) / "job.json"
        file.write_text(job.to_json(), encoding="utf-8")
        script = Path(__file__).with_name("write_things.py")
        subprocess.run([os.environ["SPLAT_MATTE_PYTHON"], str(script), str(file)], check=True)


hand.tell(story())
