"""Pictures of the panel in a real Blender window, of each state that an artist meets.

    blender --factory-startup --window-geometry 0 0 WIDTH HEIGHT -P tests/gui/screenshots.py -- ZIP FOOTAGE FOLDER

The window fills the display. Run inside Blender with xdotool and ImageMagick's `import`; SPLAT_MATTE_PYTHON is set, and
BLENDER_USER_RESOURCES names an empty folder. FOOTAGE is the first file of a copy of demo/clips/toy/rgb: marks are
placed on what is to be seen there, and mattes are written beside it. Blender ends with exit code 0 when all went as
told and all pictures are taken.

`story` is a generator: each `yield` gives the window back to Blender until what is yielded holds. Keys and clicks are
real ones.
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
SETTLED = 0.6  # seconds from a change to its picture: several drawings, on software GL too
PATIENCE = 180.0  # seconds that a condition may take

ZIP, FOOTAGE, FOLDER = (Path(each) for each in sys.argv[sys.argv.index("--") + 1 :])

Condition = Callable[[], bool]


def story() -> Iterator[Condition]:
    """The artist's way from nothing to a version."""
    install()
    yield settled()
    make_clip_editor()
    yield settled()
    choose_tab()
    yield settled()
    shot("no-footage")

    clip = bpy.data.movieclips.load(str(FOOTAGE))
    editor().spaces.active.clip = clip
    with override():
        bpy.ops.clip.view_all()
    yield settled()
    shot("nothing-marked")

    python = os.environ.pop("SPLAT_MATTE_PYTHON")
    os.environ["SPLAT_MATTE_FOLDER"] = "/home/artist/splat_matte"  # not this computer's, in a picture
    redraw()
    yield settled()
    shot("no-engine")
    os.environ["SPLAT_MATTE_PYTHON"] = python
    del os.environ["SPLAT_MATTE_FOLDER"]

    tracks = clip.tracking.objects["Camera"].tracks
    # One input at a time: Blender asks for the state of the keys when it takes a click.
    for arguments in (place(0.72, 0.3), ("keydown", "ctrl"), ("click", "1"), ("keyup", "ctrl")):
        xdotool(*arguments)
        yield settled()
    yield lambda: len(tracks) == 1
    xdotool("key", "alt+shift+x")
    yield lambda: tracks[0].use_custom_color
    mark(clip)
    redraw()
    yield settled()
    shot("marked", whole=True)

    settings = clip.splat_matte
    settings.use_range, settings.range_start, settings.range_end = True, 1, 6
    start("track")
    yield lambda: tracked() >= 2
    yield settled()
    shot("tracking", whole=True)
    xdotool("key", "Escape")
    yield idle
    yield settled()
    assert type(run().error).__name__ == "Cancelled", run().error
    shot("stopped")

    start("track")
    yield lambda: tracked() >= 1
    os.kill(run().engine.pid, 9)
    yield idle
    yield settled()
    shot("engine-died")

    settings.use_range = False
    start("export")
    yield idle
    yield settled()
    assert run().error is None, run().error
    shot("exported")

    settings.output = str(FOOTAGE / "not a folder")
    start("export")
    yield idle
    assert type(run().error).__name__ == "OutputError", run().error


def install() -> None:
    bpy.ops.extensions.package_install_files(filepath=str(ZIP), repo="user_default", enable_on_install=True)


def make_clip_editor() -> None:
    """Of the largest area, over the whole window."""
    area = max(bpy.context.window.screen.areas, key=lambda each: each.width * each.height)
    area.type = "CLIP_EDITOR"
    with bpy.context.temp_override(window=bpy.context.window, area=area):
        bpy.ops.screen.screen_full_area()
    area = editor()
    area.spaces.active.show_region_ui = True
    area.spaces.active.show_region_toolbar = False


def editor() -> bpy.types.Area:
    screen = bpy.context.window_manager.windows[0].screen
    return next(area for area in screen.areas if area.type == "CLIP_EDITOR")


def region(kind: str) -> bpy.types.Region:
    return next(each for each in editor().regions if each.type == kind)


def choose_tab() -> None:
    region("UI").active_panel_category = "Splat Matte"
    redraw()


def mark(clip: bpy.types.MovieClip) -> None:
    """A subject in the middle with a correction, another object, and some marks that do not count."""
    camera = clip.tracking.objects["Camera"]
    marks = (("On", (0.49, 0.6)), ("On too", (0.62, 0.57)))
    camera.tracks[0].name = "Off"
    for name, place in marks:
        track = camera.tracks.new(name=name, frame=1)
        track.markers.insert_frame(1, co=place)
    camera.tracks["On"].markers.insert_frame(4, co=(0.5, 0.62))
    camera.tracks.new(name="Hidden", frame=1).hide = True
    other = clip.tracking.objects.new("Horse")
    other.tracks.new(name="On", frame=1).markers.insert_frame(1, co=(0.9, 0.43))
    clip.tracking.objects.new("Lamp").tracks.new(name="On", frame=1).markers[0].mute = True
    clip.tracking.objects.active = camera
    for track in camera.tracks:
        track.select = track.name == "On"


def start(verb: str) -> None:
    with override():
        getattr(bpy.ops.splat_matte, verb)("INVOKE_DEFAULT")


def running():
    return sys.modules[f"{PACKAGE}.addon.operators.running"]


def run():
    return running().latest()


def tracked() -> int:
    progress = run().progress
    return progress["done"] if progress and progress["stage"] == "track" else 0


def idle() -> bool:
    return running().running() is None


def override():
    return bpy.context.temp_override(
        window=bpy.context.window_manager.windows[0], area=editor(), region=region("WINDOW")
    )


def redraw() -> None:
    for each in editor().regions:
        each.tag_redraw()


def xdotool(*arguments: str) -> None:
    subprocess.run(["xdotool", *arguments], check=True)


def place(u: float, v: float) -> tuple[str, ...]:
    """Moves the mouse to a place of the frame, 0..1 from its bottom left."""
    window, view = bpy.context.window_manager.windows[0], region("WINDOW")
    x, y = view.view2d.view_to_region(u, v, clip=False)
    return "mousemove", str(view.x + x), str(window.height - view.y - y)


def settled() -> Condition:
    until = time.monotonic() + SETTLED
    return lambda: time.monotonic() > until


def shot(name: str, whole: bool = False) -> None:
    """The sidebar, or the whole window, as the display shows it: Blender's own screenshot is black on software GL."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    window, side = bpy.context.window_manager.windows[0], region("UI")
    crop = f"{window.width}x{window.height}+0+0"
    if not whole:
        crop = f"{side.width}x{side.height}+{side.x}+{window.height - side.y - side.height}"
    small = ["-crop", crop, "+repage", "+dither", "-colors", "255"]
    subprocess.run(["import", "-window", "root", *small, f"PNG8:{FOLDER / name}.png"], check=True)
    print(f"Saved: {name}", flush=True)


def drive(steps: Iterator[Condition]) -> Callable[[], float]:
    """A Blender timer that takes the next step once the last condition holds."""
    waiting: Condition = settled()
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
        except Exception:
            traceback.print_exc()
            os._exit(1)
        return 0.1

    return tick


bpy.context.preferences.view.show_splash = False
bpy.app.timers.register(drive(story()), first_interval=2.0)
