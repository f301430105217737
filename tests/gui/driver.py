"""Drives a real Blender window: real clicks and keys, and what the display shows as pixels.

Runs inside Blender, with xdotool and ImageMagick's `import`. A story is a generator: each `yield` gives the window back
to Blender until what is yielded holds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy
import numpy as np

PACKAGE = "bl_ext.user_default.splat_matte"
SETTLED = 0.6  # seconds from a change to its picture: several drawings, on software GL too
PATIENCE = 180.0  # seconds that a condition may take

Condition = Callable[[], bool]


def part(name: str):
    """A module of the installed extension."""
    return sys.modules[f"{PACKAGE}.addon.{name}"]


def window() -> bpy.types.Window:
    return bpy.context.window_manager.windows[0]


def editor() -> bpy.types.Area:
    return next(area for area in window().screen.areas if area.type == "CLIP_EDITOR")


def region(kind: str) -> bpy.types.Region:
    return next(each for each in editor().regions if each.type == kind)


def override():
    return bpy.context.temp_override(window=window(), area=editor(), region=region("WINDOW"))


def redraw() -> None:
    for each in editor().regions:
        each.tag_redraw()


def settled() -> Condition:
    until = time.monotonic() + SETTLED
    return lambda: time.monotonic() > until


def xdotool(*arguments: str) -> None:
    subprocess.run(["xdotool", *arguments], check=True)


def place(u: float, v: float) -> tuple[str, ...]:
    """Moves the mouse to a place of the frame, 0..1 from its bottom left."""
    x, y = pixel(u, v)
    return "mousemove", str(x), str(y)


def pixel(u: float, v: float) -> tuple[int, int]:
    """Where on the display a place of the frame is."""
    view = region("WINDOW")
    x, y = view.view2d.view_to_region(u, v, clip=False)
    return view.x + x, window().height - view.y - y


def click(u: float, v: float, *modifiers: str) -> Iterator[Condition]:
    """One input at a time: Blender asks for the state of the keys when it takes a click."""
    xdotool(*place(u, v))
    yield settled()
    for key in modifiers:
        xdotool("keydown", key)
        yield settled()
    xdotool("click", "1")
    yield settled()
    for key in modifiers:
        xdotool("keyup", key)
        yield settled()


def press(keys: str) -> Iterator[Condition]:
    """Keys, over the clip: Blender gives them to the editor under the mouse."""
    xdotool(*place(0.02, 0.98))
    yield settled()
    xdotool("key", keys)
    yield settled()


def scroll_sidebar(button: str) -> Iterator[Condition]:
    """To its end: 5 down, 4 up; the mouse then goes back to the clip, where it shows no tooltip."""
    side = region("UI")
    xdotool("mousemove", str(side.x + side.width // 2), str(window().height - side.y - side.height // 2))
    yield settled()
    xdotool("click", "--repeat", "60", "--delay", "10", button)
    yield settled()
    xdotool(*place(0.02, 0.98))
    yield settled()


def look() -> np.ndarray:
    """The display: uint8 (h, w, 3), row 0 on top."""
    done = subprocess.run(["import", "-window", "root", "-depth", "8", "rgb:-"], check=True, capture_output=True)
    pixels = np.frombuffer(done.stdout, np.uint8)
    width = window().width
    return pixels.reshape(-1, width, 3)


def at(u: float, v: float, shown: np.ndarray | None = None) -> np.ndarray:
    """The mean colour around a place of the frame, 0..255 each."""
    x, y = pixel(u, v)
    return (look() if shown is None else shown)[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3).mean(axis=0)


def lane() -> np.ndarray:
    """The bottom rows of the clip, where the lane is."""
    view = region("WINDOW")
    bottom = window().height - view.y
    side = region("UI")
    return look()[bottom - 20 : bottom, view.x : side.x]


def has(shown: np.ndarray, colour: tuple[float, ...], tolerance: int = 40) -> bool:
    """Whether at least a few pixels are of a colour, 0..1 each."""
    wanted = np.array(colour[:3]) * 255
    return int((np.abs(shown.astype(float) - wanted).max(axis=-1) < tolerance).sum()) >= 8


def shot(folder: Path, name: str, whole: bool = False) -> None:
    """The sidebar, or the whole window, as the display shows it: Blender's own screenshot is black on software GL."""
    folder.mkdir(parents=True, exist_ok=True)
    side = region("UI")
    crop = f"{window().width}x{window().height}+0+0"
    if not whole:
        crop = f"{side.width}x{side.height}+{side.x}+{window().height - side.y - side.height}"
    small = ["-crop", crop, "+repage", "+dither", "-colors", "255"]
    subprocess.run(["import", "-window", "root", *small, f"PNG8:{folder / name}.png"], check=True)
    print(f"Saved: {name}", flush=True)


def run(story: Iterator[Condition]) -> None:
    """Tell it; Blender ends with exit code 0 if nothing was amiss."""
    waiting: Condition = settled()
    since = time.monotonic()

    def tick() -> float:
        nonlocal waiting, since
        try:
            if waiting():
                waiting = next(story)
                since = time.monotonic()
            elif time.monotonic() - since > PATIENCE:
                raise TimeoutError("what the story waits for did not happen")
        except StopIteration:
            os._exit(0)
        except Exception:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        return 0.1

    bpy.context.preferences.view.show_splash = False
    bpy.app.timers.register(tick, first_interval=2.0)
