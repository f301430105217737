"""From the installed zip to a version, with nothing but mouse and keyboard, in a real Blender window.

    blender --command extension install-file -r user_default -e ZIP
    blender --window-geometry 0 0 WIDTH HEIGHT -P tests/gui/install.py -- WHEELS PYTHON FOOTAGE FOLDER

WHEELS is what `python3 vendor_setup wheels` made for PYTHON, which the engine is made from ("" = Blender's own): no
network is needed, and under `unshare --net` there is none. FOOTAGE is the first file of a copy of demo/clips/toy/rgb.
Pictures go to FOLDER; some are in docs/user-guide.md. Run with xdotool and ImageMagick's `import`, in a home folder of
its own; the window fills the display. Exit code 0: all went as told.

Buttons are found as a person finds them, by looking: the mouse goes down a region until Blender's own *Copy Python
Command* (Ctrl-C over a button) says that this is the one.
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

PACKAGE = "bl_ext.user_default.splat_matte"
STEP = 9  # pixels between two looks
TO_HEADER, TO_FIELD, ROW = 65, 37, 26  # pixels from the button's upper edge to a panel's header, to its rows
MOMENT = 0.35  # seconds that Blender gets to notice an input, on software GL too
PATIENCE = 400.0

Condition = Callable[[], bool]
Story = Iterator[Condition]


def story(wheels: str, python: str, footage: Path, pictures: Path) -> Story:
    """What an artist does who has only the zip."""
    assert PACKAGE in bpy.context.preferences.addons, "the extension is not installed"
    make_clip_editor()
    yield moment()
    region("UI").active_panel_category = "Splat Matte"
    yield from press("clip.open", region("UI"))
    yield lambda: largest().type == "FILE_BROWSER"
    yield from choose(footage)
    yield lambda: len(bpy.data.movieclips) == 1
    yield lambda: largest().type == "CLIP_EDITOR"
    yield from keys("Home", over=centre(largest()))
    shot(pictures, "install-1-no-engine")

    yield from press("preferences.addon_show", region("UI"))
    yield lambda: len(bpy.context.window_manager.windows) == 2
    yield moment()
    window = bpy.context.window_manager.windows[1]
    shot(pictures, "install-2-preferences")
    yield from fill_in({"base_python": python, "wheels": wheels}, window)
    shot(pictures, "install-3-offline")
    yield from press("splat_matte.install_engine", main_region(window))
    yield lambda: task() is not None
    yield lambda: not task().active or "Installing" in task().words
    yield moment()
    shot(pictures, "install-4-installing")
    yield lambda: not task().active
    assert task().error is None, task().error
    print(task().result, flush=True)
    yield moment()
    shot(pictures, "install-5-installed")
    with bpy.context.temp_override(window=window):
        bpy.ops.wm.window_close()  # the cross of the window's frame, which this display has not
    yield moment()

    tracks = bpy.data.movieclips[0].tracking.objects["Camera"].tracks
    yield from keys(over=place(0.49, 0.6), click="ctrl+1")
    yield lambda: len(tracks) == 1
    for _ in range(20):
        xdotool("mousemove", *centre(region("UI")), "click", 5)  # the wheel: Export is at the end
        yield moment()
    shot(pictures, "install-6-marked")
    yield from press("splat_matte.export", region("UI"))
    yield lambda: run() is not None and not run().active
    assert run().error is None, run().error
    yield moment()
    shot(pictures, "install-7-exported")
    print(f"Version: {run().result['folder']}", flush=True)
    assert len(list(Path(run().result["folder"]).glob("*.png"))) == run().result["frames"]


# --- what is where


def make_clip_editor() -> None:
    """Of the largest area, over the whole window."""
    area = largest()
    area.type = "CLIP_EDITOR"
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area):
        bpy.ops.screen.screen_full_area()
    space = largest().spaces.active
    space.show_region_ui, space.show_region_toolbar = True, False


def largest() -> bpy.types.Area:
    screen = bpy.context.window_manager.windows[0].screen
    return max(screen.areas, key=lambda area: area.width * area.height)


def region(kind: str) -> bpy.types.Region:
    return next(region for region in largest().regions if region.type == kind)


def main_region(window: bpy.types.Window) -> bpy.types.Region:
    return next(region for region in window.screen.areas[0].regions if region.type == "WINDOW")


def on_screen(x: float, y: float, window: bpy.types.Window | None = None) -> tuple[int, int]:
    """A place of a window, from its bottom left, as X counts: from the display's top left."""
    main = bpy.context.window_manager.windows[0]
    if window is None or window == main:
        return round(x), round(main.height - y)
    scale = 1.0
    return round(window.x + x * scale), round(main.height - window.y - y * scale)


def centre(rectangle: bpy.types.Area | bpy.types.Region) -> tuple[int, int]:
    return on_screen(rectangle.x + rectangle.width / 2, rectangle.y + rectangle.height / 2)


def place(u: float, v: float) -> tuple[int, int]:
    """Of the frame, 0..1 from its bottom left."""
    view = region("WINDOW")
    x, y = view.view2d.view_to_region(u, v, clip=False)
    return on_screen(view.x + x, view.y + y)


def task():
    return sys.modules[f"{PACKAGE}.addon.tasks.setup_run"].latest()


def run():
    return sys.modules[f"{PACKAGE}.addon.tasks.job_run"].latest()


# --- what hands do


def moment() -> Condition:
    until = time.monotonic() + MOMENT
    return lambda: time.monotonic() > until


def xdotool(*arguments: object) -> None:
    subprocess.run(["xdotool", *map(str, arguments)], check=True)


def keys(key: str = "", *, over: tuple[int, int], click: str = "") -> Story:
    """Move, then press a key, or click (5 = wheel down), with ctrl held if it says so."""
    xdotool("mousemove", *over)
    yield moment()
    if click:
        control = click.startswith("ctrl+")
        if control:
            xdotool("keydown", "ctrl")
            yield moment()
        button = click.removeprefix("ctrl+")
        xdotool("mousedown", button)
        yield moment()
        xdotool("mouseup", button)
        yield moment()
        if control:
            xdotool("keyup", "ctrl")
    else:
        xdotool("key", key)
    yield moment()


def look(operator: str, where: bpy.types.Region) -> Story:
    """Leaves the mouse over the button of an operator; looks in two columns, from the top down."""
    manager = bpy.context.window_manager
    window = next(window for window in manager.windows if where in regions(window))
    said = []
    for column in (0.35, 0.75):
        for y in range(where.height - 4, 0, -STEP):
            xdotool("mousemove", *on_screen(where.x + where.width * column, where.y + y, window))
            manager.clipboard = "nothing"
            until = time.monotonic() + MOMENT / 2
            yield lambda until=until: time.monotonic() > until
            xdotool("key", "ctrl+c")
            until = time.monotonic() + MOMENT
            yield lambda until=until: manager.clipboard != "nothing" or time.monotonic() > until
            if operator in manager.clipboard:
                return
            said.append(manager.clipboard)
    raise LookupError(f"no {operator} among {sorted(set(said))}")


def press(operator: str, where: bpy.types.Region) -> Story:
    """Click the button of an operator."""
    yield from look(operator, where)
    xdotool("click", 1)
    yield moment()


def regions(window: bpy.types.Window) -> list[bpy.types.Region]:
    return [region for area in window.screen.areas for region in area.regions]


def fill_in(values: dict[str, str], window: bpy.types.Window) -> Story:
    """Open Other Ways to Install, which is two rows below the button, and type into its fields."""
    yield from look("splat_matte.install_engine", main_region(window))
    xdotool("mousemove_relative", 0, TO_HEADER)
    yield moment()
    xdotool("click", 1)
    yield moment()
    xdotool("mousemove_relative", 150, TO_FIELD)
    chosen = bpy.context.preferences.addons[PACKAGE].preferences
    for name in ("build", "base_python", "wheels"):
        if value := values.get(name):
            yield moment()
            xdotool("click", 1)
            yield moment()
            yield from enter(value)
            assert getattr(chosen, name) == value, (name, getattr(chosen, name))
        xdotool("mousemove_relative", 0, ROW)


def enter(value: str) -> Story:
    """Into the field that is being edited."""
    xdotool("key", "ctrl+a")
    yield moment()
    xdotool("type", "--delay", "15", value)
    yield moment()
    xdotool("key", "Return")
    yield moment()


def choose(file: Path) -> Story:
    """In the file browser: Blender takes a file's whole path where a folder's is typed."""
    bar = region("UI")
    xdotool("mousemove", *on_screen(bar.x + bar.width * 0.4, bar.y + bar.height / 2))
    yield moment()
    xdotool("click", 1)
    yield moment()
    yield from enter(str(file))
    bar = region("EXECUTE")
    x, y = on_screen(bar.x + bar.width * 0.93, bar.y + bar.height / 2)
    while largest().type == "FILE_BROWSER":
        xdotool("mousemove", x - 40, y - 40)
        yield moment()
        yield from keys(over=(x, y), click="1")
        yield moment()


def shot(folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    target = f"PNG8:{folder / name}.png"
    subprocess.run(["import", "-window", "root", "+dither", "-colors", "255", target], check=True)
    print(f"Saved: {name}", flush=True)


def drive(steps: Story, pictures: Path) -> Callable[[], float]:
    """A Blender timer that takes the next step once the last condition holds."""
    waiting: Condition = moment()
    since = time.monotonic()

    def tick() -> float:
        nonlocal waiting, since
        try:
            if waiting():
                waiting = next(steps)
                since = time.monotonic()
            elif time.monotonic() - since > PATIENCE:
                raise TimeoutError("what the story waits for did not happen")
        except StopIteration:
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            shot(pictures, "failed")
            os._exit(1)
        return 0.05

    return tick


def main() -> None:
    wheels, python, footage, pictures = sys.argv[sys.argv.index("--") + 1 :]
    view = bpy.context.preferences.view
    view.show_splash = view.show_tooltips = False
    view.filebrowser_display_type = "SCREEN"
    steps = story(wheels, python, Path(footage), Path(pictures))
    bpy.app.timers.register(drive(steps, Path(pictures)), first_interval=4.0)


if __name__ == "__main__":
    main()
