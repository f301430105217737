"""A story by hand: a marked clip becomes a folder that a farm carries out, and its command is in the clipboard."""

from __future__ import annotations

import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))

from hand import (
    FOOTAGE,
    Steps,
    click_plate,
    clip,
    idle,
    open_footage,
    press,
    press_at_end,
    run,
    scroll,
    shot,
    sidebar,
    tell,
)

SUBJECT = (0.49, 0.6)


def story() -> Steps:
    yield from open_footage(FOOTAGE)
    yield from click_plate(*SUBJECT, "ctrl")
    yield lambda: len(clip().tracking.objects["Camera"].tracks) == 1
    yield from press_at_end("Farm")
    yield from scroll("5", 80)
    yield from press("OpenJD", sidebar)
    yield from press("Slurm")
    shot("farm")
    yield from press_at_end("Send to Farm")
    yield lambda: run() is not None and run().verb == "farm" and idle()
    assert run().error is None, run().error
    bundle = Path(run().result["folder"])
    assert (bundle / "submit.sh").is_file() and bundle.is_relative_to(FOOTAGE.parent)
    assert str(bundle / "submit.sh") in bpy.context.window_manager.clipboard
    yield from scroll("5", 80)
    shot("farm-sent")


tell(story())
