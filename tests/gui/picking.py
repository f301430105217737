"""Picking what was found, by clicks: a part of story.py."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import bpy
import driver
import numpy as np
from driver import Condition, at, click, editor, has, look, override, part, pixel, region, settled

POT, BALL, HORSE = (0.49, 0.6), (0.275, 0.08), (0.885, 0.44)  # of demo/clips/toy


def picking(clip: bpy.types.MovieClip, folder: Path) -> Iterator[Condition]:
    """With things as good weights find them."""
    settings = clip.splat_matte
    settings.use_range, settings.range_start, settings.range_end = True, 1, 2
    settings.overlay_style = "fill"
    for each in settings.objects:
        each.hide = True
    write_things(clip)
    open_panel()
    go_to(1)
    yield lambda: shown() == 1
    yield settled()
    plate, horse = at(*POT), at(*HORSE)
    with override():
        assert bpy.ops.splat_matte.find("INVOKE_DEFAULT") == {"RUNNING_MODAL"}
    yield lambda: bool(settings.found.folder) and part("tasks.job_run").running() is None
    assert part("tasks.job_run").latest().error is None
    assert len(part("viewer.sources").found_of(clip, 1)) == 4, "all are shown while nothing is picked"
    with bpy.context.temp_override(window=driver.window(), area=editor(), region=region("UI")):
        assert bpy.ops.splat_matte.pick("INVOKE_DEFAULT") == {"RUNNING_MODAL"}
    driver.xdotool(*driver.place(*BALL))
    yield lambda: has(around(BALL), (1.0, 1.0, 1.0))
    yield from click(*BALL)
    assert settings.found.numbers == "2"
    yield from click(*POT)
    assert settings.found.numbers == "1, 2"
    go_to(2)
    yield lambda: shown() == 2
    driver.xdotool(*driver.place(*HORSE))
    yield lambda: has(around(HORSE), (1.0, 1.0, 1.0))
    yield from click(*HORSE)
    assert settings.found.numbers == "1, 2, 3", "the outlines follow the frame"
    yield from click(*BALL)
    assert settings.found.numbers == "1, 3", "a second click takes it back"
    yield from driver.press("ctrl+z")
    yield lambda: the_settings().found.numbers == "1, 2, 3"  # a click can be undone
    yield from click(*HORSE)
    go_to(1)
    yield lambda: shown() == 1
    driver.xdotool(*driver.place(*HORSE))
    yield lambda: has(around(HORSE), (1.0, 1.0, 1.0))
    driver.shot(folder, "picking", whole=True)
    yield from driver.press("Escape")
    assert the_settings().found.numbers == "1, 2"
    assert not has(around(HORSE), (1.0, 1.0, 1.0)), "no outlines after Esc"
    colour = part("settings.palette").colour_of(1)
    assert tinted(at(*POT), plate, colour), "the overlay shows what is picked"
    assert np.abs(at(*HORSE) - horse).max() < 8, "and nothing else"
    settings = the_settings()
    settings.automatic = "parts"
    driver.redraw()
    yield settled()
    driver.shot(folder, "find-parts")
    assert np.abs(at(*POT) - plate).max() < 8, "each kind has its own"


def tinted(now: np.ndarray, before: np.ndarray, colour: tuple[float, ...]) -> bool:
    """Whether a colour has moved towards another, 0..1 each."""
    wanted = np.array(colour) * 255
    return bool(np.abs(now - wanted).sum() < np.abs(before - wanted).sum() - 20)


def around(spot: tuple[float, float]) -> np.ndarray:
    x, y = pixel(*spot)
    return look()[y - 90 : y + 90, x - 90 : x + 90]


def shown() -> int:
    return editor().spaces.active.clip_user.frame_current


def go_to(frame: int) -> None:
    bpy.context.scene.frame_current = frame


def the_settings():
    return editor().spaces.active.clip.splat_matte


def write_things(clip: bpy.types.MovieClip) -> None:
    search = part("settings.pick_settings").search_of("things", ())
    job, _ = part("clip.to_job").make_automatic_job(
        clip, part("settings.preferences").preferences().device, False, **search
    )
    with tempfile.TemporaryDirectory() as room:
        file = Path(room) / "job.json"
        file.write_text(job.to_json(), encoding="utf-8")
        script = Path(__file__).with_name("write_things.py")
        subprocess.run([os.environ["SPLAT_MATTE_PYTHON"], str(script), str(file)], check=True)


def open_panel() -> None:
    """Opened, below *Footage*, the others gone: a panel that is closed at first can't be opened by a script."""
    closed = part("ui.panels.automatic").SPLATMATTE_PT_automatic
    for each in part("ui.panels").CLASSES:
        if issubclass(each, bpy.types.Panel) and each.bl_label != "Footage":
            bpy.utils.unregister_class(each)
    base = part("ui.panels.base").ClipPanel
    body = {"bl_label": closed.bl_label, "draw_clip": closed.draw_clip}
    bpy.utils.register_class(type("SPLATMATTE_PT_automatic_open", (base, bpy.types.Panel), body))
