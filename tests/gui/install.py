"""From the installed zip to a version: an engine from a folder of wheels, by hand and without a network. See hand.py.

After FOOTAGE and PICTURES comes WHEELS, a folder that has PyTorch for the CPU only, and the Python that they are for.
The driver of an NVIDIA GPU is a stand-in, so that the plan is a build that this folder does not have: the person is
asked, and presses *Install That*. The network's proxy does not answer, so *Set Up* gets no further than the engine.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import hand

POT = (0.49, 0.6)
TO_FIELD = 150  # pixels from the middle of a label into the field beside it
WHEELS, PYTHON = sys.argv[sys.argv.index("--") + 3 :][:2]
NOBODY = "http://127.0.0.1:9"  # the port that discards, where nothing listens
DRIVER = """#!/bin/sh
echo "580.95.05, 8.9, NVIDIA GeForce RTX 4090"
"""


def story() -> hand.Steps:
    os.environ.pop("SPLAT_MATTE_PYTHON", None)
    os.environ["HTTPS_PROXY"] = os.environ["https_proxy"] = NOBODY
    with tempfile.TemporaryDirectory() as room:
        tool = Path(room) / "nvidia-smi"
        tool.write_text(DRIVER, encoding="ascii")
        tool.chmod(0o755)
        os.environ["PATH"] += os.pathsep + room
        yield from hand.open_footage(hand.FOOTAGE)
        yield from hand.scroll("5", 12)
        hand.shot("no-engine", hand.sidebar())
        yield from hand.press("Open Preferences", hand.sidebar, which=-1)  # above it stands "As in Preferences"
        yield hand.preferences_are_open
        yield from naming()
        yield from asked("Install Engine")
        yield from stopping()
        yield from refused()
        yield from asked("Set Up")
        yield from setting_up()
    yield from testing()
    yield from hand.put_preferences_away()
    yield from exporting()


def task():
    return hand.part("tasks.setup_run").latest()


def naming() -> hand.Steps:
    """The folder of wheels, and the Python that they are for."""
    chosen = hand.part("settings.preferences").preferences
    yield lambda: bool(hand.seen("Install Engine", hand.preferences()))
    left, top, right, bottom = hand.preferences()
    yield from hand.move((left + right) // 2, (top + bottom) // 2)  # away from the button, which would explain itself
    yield hand.moment(2.0)
    hand.shot("install-2-preferences")
    yield from hand.press("Other Ways to Install", hand.preferences, which=-1)  # a sentence above names it, too
    yield from hand.scroll_to("Folder of Wheels", hand.preferences)
    for label, value in (("Made From", PYTHON), ("Folder of Wheels", WHEELS)):
        (x, y) = hand.seen(label, hand.preferences())[-1]
        yield from hand.click(x + TO_FIELD, y)
        yield from hand.write(value)
    assert (chosen().base_python, chosen().wheels) == (PYTHON, WHEELS), (chosen().base_python, chosen().wheels)
    yield hand.moment(1.0)
    hand.shot("install-3-offline")


def press_button(text: str) -> hand.Steps:
    """In the row of *Install Engine*: sentences above it have the same words."""
    yield from hand.scroll_to("Install Engine", hand.preferences)
    yield from hand.press(text, hand.preferences, which=-1)


def asked(button: str) -> hand.Steps:
    """What was announced is not in the folder: nothing is installed before the person says yes to another build."""
    before = task()
    yield from press_button(button)
    yield lambda: task() is not before and not task().active
    assert task().asked == "cpu", (task().asked, task().error)
    yield hand.moment(1.0)
    yield from hand.scroll_to("Install That", hand.preferences)
    hand.shot("install-other-build")
    yield from hand.press("Install That", hand.preferences)
    yield lambda: task().active and "Installing" in task().words
    yield hand.moment(0.6)


def stopping() -> hand.Steps:
    """While packages are installed: it says so at once, and ends."""
    yield from hand.press_scrolling("Stop", hand.preferences)
    yield lambda: task().stopping
    yield lambda: bool(hand.seen("Stopping", hand.preferences())) or not task().active
    yield lambda: not task().active
    assert type(task().error).__name__ == "Cancelled", task().error
    yield hand.moment(1.0)


def refused() -> hand.Steps:
    """Blender's online access is off, as in a fresh one: what needs it says what to do, and starts nothing."""
    before = task()
    yield from hand.scroll_to("Install Engine", hand.preferences)
    yield from said_to_be_off(press_button("Set Up"))
    yield from hand.scroll_to("Settings", hand.preferences)  # below all checkpoints
    yield from said_to_be_off(hand.press("Download", hand.preferences, which=-1))
    assert task() is before
    yield from hand.press_scrolling("Allow Online Access", hand.preferences)
    yield lambda: hand.bpy.app.online_access


def said_to_be_off(press: hand.Steps) -> hand.Steps:
    """A message that takes all keys, once the button is pressed; then it is closed."""
    words = "Allow it in Preferences"
    yield from press
    yield lambda: bool(hand.seen(words, hand.preferences()))
    hand.shot("install-6-no-download")
    hand.xdotool("key", "Escape")
    yield lambda: not hand.seen(words, hand.preferences())


def setting_up() -> hand.Steps:
    """The engine comes from the folder; the checkpoint, which is next without being asked for, does not come."""
    hand.shot("install-4-installing")
    engine = task()
    yield lambda: not engine.active
    assert engine.error is None, engine.error
    print(engine.result, flush=True)
    yield lambda: task().verb == "checkpoint" and not task().active
    assert "The download failed" in str(task().error), task().error
    yield hand.moment(1.0)
    yield from hand.scroll("5", 40, hand.preferences)
    hand.shot("install-no-checkpoint")


def testing() -> hand.Steps:
    """What was installed works, and how fast."""
    yield from hand.press_scrolling("Self-Test", hand.preferences)
    yield lambda: task().verb == "self-test" and not task().active
    assert task().error is None, task().error
    yield hand.moment(1.0)
    yield from hand.scroll("4", 40, hand.preferences)
    hand.shot("install-5-installed")


def exporting() -> hand.Steps:
    yield from hand.click_plate(*POT, "ctrl")
    yield lambda: len(hand.tracks()) == 1
    yield from hand.press_action("Preview")
    yield lambda: bool(hand.part("viewer.previews").preview_of(hand.clip().name, 1))
    yield from hand.press_action("Export")
    yield lambda: hand.run() is not None and not hand.run().active
    assert hand.run().error is None, hand.run().error
    assert len(list(Path(hand.run().result["folder"]).glob("*.png"))) == hand.run().result["frames"]


hand.tell(story())
