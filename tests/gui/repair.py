"""A story by hand: a lost matte is offered anew, seen, accepted, undone, redone, and tracked from. See hand.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import bpy
import hand
import numpy as np

SUBJECT, LOST = (0.49, 0.6), 4


def story() -> hand.Steps:
    yield from hand.open_footage(hand.FOOTAGE)
    yield from hand.press_in_sidebar("Range")
    yield lambda: settings().use_range
    yield from hand.type_into("Frames", "1", "7", below="Range")
    yield lambda: (settings().range_start, settings().range_end) == (1, 7)
    yield from hand.click_plate(*SUBJECT, "ctrl")
    yield lambda: len(hand.tracks()) == 1
    yield from hand.press_action("Track")
    yield lambda: hand.run() is not None and hand.idle()
    assert hand.run().error is None, hand.run().error
    lose(Path(settings().take_of("Camera")), LOST)
    for _ in range(LOST - 1):
        yield from hand.key("Right")
    yield lambda: bpy.context.scene.frame_current == LOST
    yield from hand.press_in_sidebar("Repair Suspects")
    yield lambda: hand.run().verb == "repair" and hand.idle()
    assert hand.run().error is None, hand.run().error
    offers = hand.part("viewer.repairs").offers_of
    yield lambda: LOST in offers(hand.clip()).get("Camera", {})
    yield hand.moment(1.0)
    hand.shot("repair-offered")
    yield from hand.press_in_sidebar("Accept")
    yield accepted
    assert LOST not in offers(hand.clip()).get("Camera", {})
    yield from hand.key("ctrl+z")
    yield lambda: not accepted()
    yield lambda: LOST in offers(hand.clip()).get("Camera", {})
    yield from hand.press_in_sidebar("Accept All")
    yield accepted
    yield hand.moment(1.0)
    hand.shot("repair-accepted")
    yield from hand.press_action("Track")
    yield lambda: hand.run().verb == "track" and hand.idle()
    assert hand.run().error is None, hand.run().error
    yield hand.moment(1.0)
    hand.shot("repair-tracked")
    with np.load(Path(settings().take_of("Camera")) / "matte" / f"{LOST:06d}.npz") as matte:
        assert (matte["logits"] > 0).any()


def settings():
    return hand.clip().splat_matte


def accepted() -> bool:
    mask = settings().mask
    return mask is not None and [layer.name for layer in mask.layers] == ["Camera (repair)"]


def lose(take: Path, frame: int) -> None:
    """Change the engine's file of a frame as if it had lost the subject."""
    file = take / "matte" / f"{frame:06d}.npz"
    with np.load(file) as data:
        known = dict(data)
    np.savez_compressed(file, **known | {"logits": np.full_like(known["logits"], -8)})
    (take / "measures.npz").unlink()


hand.tell(story())
