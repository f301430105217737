"""A story by hand: tracked mattes become a Blender Mask, while the window goes on."""

from __future__ import annotations

import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))

from hand import (
    FOOTAGE,
    Steps,
    click_plate,
    editors,
    idle,
    key,
    open_footage,
    press,
    press_action,
    press_at_end,
    run,
    shot,
    tell,
    tracks,
)

SUBJECT = (0.49, 0.6)


def story() -> Steps:
    yield from open_footage(FOOTAGE)
    yield from click_plate(*SUBJECT, "ctrl")
    yield lambda: len(tracks()) == 1
    yield from press_action("Track")
    yield lambda: run() is not None and idle()
    assert run().error is None, run().error
    frames = bpy.context.scene.frame_current

    yield from press_at_end("To Mask")
    yield from press("OK")
    yield lambda: len(bpy.data.masks) == 1
    (mask,) = bpy.data.masks
    assert [layer.name for layer in mask.layers] == ["Camera"]
    assert len(mask.layers[0].splines) > 0
    space = editors()[0].spaces.active
    assert space.mode == "TRACKING", "the editor is as it was"
    assert bpy.context.scene.frame_current == frames
    yield from key("ctrl+z")
    yield lambda: len(bpy.data.masks) == 0
    shot("mattes-to-mask-undone")


tell(story())
