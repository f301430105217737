"""What a hand does in a real Blender window, and what an eye sees there.

Runs inside Blender, with xdotool and ImageMagick's `import`. A story is a generator: each `yield` gives the window back
to Blender until what is yielded holds. A story presses what is on the screen, where it is: words are found by drawing
them with Blender's own font and looking for that picture. It reads Blender's data to check what came of it; it
changes nothing there, which tests/unit/test_stories.py holds true.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import blf
import bpy
import gpu
import numpy as np
from mathutils import Matrix

PACKAGE = "bl_ext.user_default.splat_matte"
MOMENT = 0.35  # seconds that Blender gets to notice an input, on software GL too
PATIENCE = 900.0  # seconds that a condition may take
LIKE = 0.8  # correlation from which on it is the same word

FOOTAGE, PICTURES = (Path(path) for path in sys.argv[sys.argv.index("--") + 1 :][:2])

Condition = Callable[[], bool]
Steps = Iterator[Condition]
Box = tuple[int, int, int, int]  # on the display: left, top, right, bottom


# --- Blender's data, to be read


def part(name: str):
    """A module of the installed extension."""
    return sys.modules[f"{PACKAGE}.addon.{name}"]


def window() -> bpy.types.Window:
    return bpy.context.window_manager.windows[0]


def editors() -> list[bpy.types.Area]:
    """The clip editors that show a clip, largest first."""
    found = [area for area in window().screen.areas if area.type == "CLIP_EDITOR"]
    found = [area for area in found if area.spaces.active.view == "CLIP"] or found
    return sorted(found, key=lambda area: -area.width * area.height)


def region(kind: str, area: bpy.types.Area | None = None) -> bpy.types.Region:
    return next(region for region in (area or editors()[0]).regions if region.type == kind)


def box(rectangle: bpy.types.Area | bpy.types.Region, of: bpy.types.Window | None = None) -> Box:
    """Where it is on the display."""
    main = window()
    x, y = (0, 0) if of is None or of == main else (of.x, of.y)
    top = main.height - y - rectangle.y - rectangle.height
    return x + rectangle.x, top, x + rectangle.x + rectangle.width, top + rectangle.height


def sidebar() -> Box:
    return box(region("UI"))


def plate() -> Box:
    """The clip without the sidebar that lies over it."""
    left, top, right, bottom = box(region("WINDOW"))
    side = region("UI")
    return left, top, min(right, side.x) if side.width > 1 else right, bottom


def clip() -> bpy.types.MovieClip:
    """Looked up anew each time: references dangle after undo."""
    return bpy.data.movieclips[FOOTAGE.name]


def tracks() -> list[bpy.types.MovieTrackingTrack]:
    """Of all objects, boxes' corners too."""
    return [track for tracked in clip().tracking.objects for track in tracked.tracks]


def run():
    return part("tasks.job_run").latest()


def idle() -> bool:
    """Nothing runs, and nothing waits its turn."""
    return not part("tasks.job_run").pending()


# --- the eye


def look() -> np.ndarray:
    """The display: uint8 (h, w, 3), row 0 on top."""
    done = subprocess.run(["import", "-window", "root", "-depth", "8", "rgb:-"], check=True, capture_output=True)
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, window().width, 3)


def word(text: str) -> np.ndarray:
    """How Blender draws it: float (h, w), 0..1, row 0 on top, with a little of what is beside it."""
    scale = bpy.context.preferences.system.ui_scale
    blf.size(0, 11 * scale)
    width, height = (round(side) for side in blf.dimensions(0, text))
    wide, high = width + 6, height + 4
    room = gpu.types.GPUOffScreen(wide, high)
    with room.bind():
        frame = gpu.state.active_framebuffer_get()
        frame.clear(color=(0.0, 0.0, 0.0, 1.0))
        with gpu.matrix.push_pop(), gpu.matrix.push_pop_projection():
            gpu.matrix.load_matrix(Matrix.Identity(4))
            gpu.matrix.load_projection_matrix(
                Matrix(((2 / wide, 0, 0, -1), (0, 2 / high, 0, -1), (0, 0, 1, 0), (0, 0, 0, 1)))
            )
            below = round(blf.dimensions(0, text)[1] - blf.dimensions(0, text.translate(_NO_TAIL))[1])
            blf.position(0, 3, 2 + max(0, below), 0)
            blf.color(0, 1.0, 1.0, 1.0, 1.0)
            blf.draw(0, text)
        pixels = np.array(frame.read_color(0, 0, wide, high, 4, 0, "UBYTE").to_list(), np.float32)
    room.free()
    return pixels[::-1, :, 0] / 255


_NO_TAIL = str.maketrans("gjpqy,;Q", "aaaaa..O")


def seen(text: str, within: Box | None = None, turned: bool = False) -> list[tuple[int, int]]:
    """Where a word is on the display (its centre), from the top down. turned: read from above, as a sidebar's tabs."""
    drawn = word(text)
    if turned:
        drawn = np.rot90(drawn, -1)
    left, top, right, bottom = within or (0, 0, window().width, window().height)
    left, top = max(0, left), max(0, top)
    shown = look()[top:bottom, left:right].astype(np.float32).mean(axis=-1) / 255
    high, wide = drawn.shape
    if shown.shape[0] < high or shown.shape[1] < wide:
        return []
    alike = np.abs(correlation(shown, drawn))
    rows, columns = np.nonzero(alike >= LIKE)
    found: list[tuple[int, int]] = []
    for index in np.argsort(alike[rows, columns])[::-1][:400]:
        y, x = rows[index], columns[index]
        at = (left + int(x) + wide // 2, top + int(y) + high // 2)
        if all(abs(at[0] - place[0]) > 4 or abs(at[1] - place[1]) > 4 for place in found):
            found.append(at)
    return sorted(found, key=lambda place: (place[1], place[0]))


def correlation(shown: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Of a small picture with each place of a large one, -1..1 (J. P. Lewis, Fast Normalized Cross-Correlation)."""
    kernel = drawn - drawn.mean()
    high, wide = kernel.shape
    size = [_quick(side) for side in shown.shape]  # what goes around the edges is cut off below
    spectrum = np.fft.rfft2(shown, size) * np.conj(np.fft.rfft2(kernel, size))
    dot = np.fft.irfft2(spectrum, size)[: shown.shape[0] - high + 1, : shown.shape[1] - wide + 1]

    def sums(values: np.ndarray) -> np.ndarray:
        table = np.pad(values.astype(np.float64), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
        return table[high:, wide:] - table[:-high, wide:] - table[high:, :-wide] + table[:-high, :-wide]

    spread = sums(shown**2) - sums(shown) ** 2 / kernel.size
    return np.asarray(dot / np.sqrt(np.maximum(spread, 1e-3) * (kernel**2).sum()))


def _quick(side: int) -> int:
    """The next number without prime factors above 5, for which a Fourier transform is quick."""
    rest = side
    for factor in (2, 3, 5):
        while rest % factor == 0:
            rest //= factor
    return side if rest == 1 else _quick(side + 1)


def at(u: float, v: float, area: bpy.types.Area | None = None) -> np.ndarray:
    """The mean colour around a place of the frame, 0..255 each."""
    x, y = pixel(u, v, area)
    return look()[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3).mean(axis=0)


def has(shown: np.ndarray, colour: tuple[float, ...], tolerance: int = 40) -> bool:
    """Whether at least a few pixels are of a colour, 0..1 each."""
    wanted = np.array(colour[:3]) * 255
    return int((np.abs(shown.astype(float) - wanted).max(axis=-1) < tolerance).sum()) >= 8


def shot(name: str, part_of: Box | None = None) -> None:
    """The window, or a part of it, as the display shows it: Blender's own screenshot is black on software GL."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    left, top, right, bottom = part_of or (0, 0, window().width, window().height)
    small = ["-crop", f"{right - left}x{bottom - top}+{left}+{top}", "+repage", "+dither", "-colors", "255"]
    subprocess.run(["import", "-window", "root", *small, f"PNG8:{PICTURES / name}.png"], check=True)
    print(f"Saved: {name}", flush=True)


# --- the hand

clicks = 0  # so many were made, for stories that count them


def xdotool(*arguments: object) -> None:
    subprocess.run(["xdotool", *map(str, arguments)], check=True)


def scaled(pixels: float) -> int:
    """A length of Blender's interface, in pixels at a scale of 1, as it is on the display."""
    return round(pixels * bpy.context.preferences.system.ui_scale)


def moment(seconds: float = MOMENT) -> Condition:
    until = time.monotonic() + seconds
    return lambda: time.monotonic() > until


def pixel(u: float, v: float, area: bpy.types.Area | None = None) -> tuple[int, int]:
    """Where on the display a place of the frame is, 0..1 from its bottom left; in the largest editor, or in one."""
    view = region("WINDOW", area)
    x, y = view.view2d.view_to_region(u, v, clip=False)
    return view.x + x, window().height - view.y - y


def move(x: int, y: int) -> Steps:
    xdotool("mousemove", x, y)
    yield moment()


def click(x: int, y: int, *held: str, button: int = 1) -> Steps:
    """One input at a time: Blender asks for the state of the keys when it takes a click."""
    global clicks
    clicks += 1
    yield from move(x, y)
    for key in held:
        xdotool("keydown", key)
        yield moment()
    xdotool("mousedown", button)
    yield moment(0.12)
    xdotool("mouseup", button)
    yield moment()
    for key in held:
        xdotool("keyup", key)
        yield moment()


def click_plate(u: float, v: float, *held: str) -> Steps:
    yield from click(*pixel(u, v), *held)


def key(keys: str, over: tuple[int, int] | None = None) -> Steps:
    """A key, over the clip unless told otherwise: Blender gives keys to the region under the mouse.

    What is held is held for a moment: Blender asks for the state of the keys when it takes one, which can be late.
    """
    if over is None:
        left, top, _, bottom = plate()
        over = (left + 30, (top + bottom) // 2)
    yield from move(*over)
    *held, last = keys.split("+")
    for modifier in held:
        xdotool("keydown", modifier)
        yield moment()
    xdotool("key", last)
    yield moment()
    for modifier in held:
        xdotool("keyup", modifier)
        yield moment()


def write(text: str) -> Steps:
    """Into the field that is being edited, in place of what is there."""
    xdotool("key", "ctrl+a")
    yield moment()
    xdotool("type", "--delay", "15", text)
    yield moment()
    xdotool("key", "Return")
    yield moment()


def drag(start: tuple[int, int], end: tuple[int, int], button: int = 1) -> Steps:
    yield from move(*start)
    xdotool("mousedown", button)
    yield moment()
    for share in (0.3, 0.6, 1.0):
        yield from move(*(round(a + (b - a) * share) for a, b in zip(start, end, strict=True)))
    xdotool("mouseup", button)
    yield moment()


def press(text: str, within: Callable[[], Box] | None = None, *, turned: bool = False, which: int = 0) -> Steps:
    """The button with this word on it, once it is there. which: of several, from the top down."""
    spot: list[tuple[int, int]] = []
    wait_until = time.monotonic()

    def there() -> bool:
        nonlocal wait_until
        if time.monotonic() < wait_until:
            return False
        spot[:] = seen(text, within() if within else None, turned)
        wait_until = time.monotonic() + 1.0
        return _has(spot, which)

    there.__doc__ = f"{text!r} on the screen"
    yield there
    yield from click(*spot[which])


def _has(spots: list[tuple[int, int]], which: int) -> bool:
    return len(spots) > (which if which >= 0 else -which - 1)


def press_in_sidebar(text: str, which: int = 0) -> Steps:
    """Scrolled to, if need be."""
    yield from press_scrolling(text, sidebar, which)


def press_scrolling(text: str, within: Callable[[], Box], which: int = 0) -> Steps:
    """Scrolled to, if need be, from what is shown just now."""
    yield from scroll_to(text, within, which)
    yield from press(text, within, which=which)


def scroll_to(text: str, within: Callable[[], Box], which: int = 0) -> Steps:
    """Until the word is on the screen: up to the top, then down."""
    if seen(text, within()):
        return
    yield from scroll("4", 40, within)
    for _ in range(12):
        if _has(seen(text, within()), which):
            break
        yield from scroll("5", 4, within)


def scroll(button: str, turns: int, within: Callable[[], Box] = sidebar) -> Steps:
    """With the wheel: 5 down, 4 up."""
    left, top, right, bottom = within()
    yield from move((left + right) // 2 - 30, (top + bottom) // 2)
    for _ in range(turns):
        xdotool("click", button)
    yield moment(0.6)


def press_action(text: str) -> Steps:
    """One of the buttons at the sidebar's top."""
    yield from scroll("4", 80)
    yield from press(text, sidebar)


def press_at_end(text: str) -> Steps:
    """The last button with this word, at the sidebar's end."""
    yield from scroll("5", 80)
    yield from press(text, sidebar, which=-1)


# --- telling


def open_footage(file: Path, fresh: bool = True) -> Steps:
    """From a fresh Blender, or a new file, to the clip in its editor, our tab open."""
    yield from open_tab(fresh)
    yield from load(file)


def open_tab(fresh: bool = True) -> Steps:
    """From a fresh Blender, or a new file, to a clip editor over the whole window with our tab."""
    if fresh:
        yield from move(window().width // 2, 600)
        xdotool("key", "Escape")  # the splash screen
        yield moment()
        xdotool("key", "ctrl+n")
        yield from press("VFX")
    yield lambda: any(area.type == "CLIP_EDITOR" for area in window().screen.areas)
    yield moment(1.0)
    yield from key("ctrl+space")
    if region("UI").width <= 1:
        yield from key("n")
    yield from press("Splat Matte", lambda: box(region("UI")), turned=True)


def load(file: Path) -> Steps:
    """Footage, by the button of the tab."""
    yield from press("Open Footage", sidebar)
    yield from choose(file)
    yield lambda: len(bpy.data.movieclips) == 1
    yield moment(1.0)
    yield from key("Home")


def type_into(label: str, *values: str, below: str) -> Steps:
    """The sidebar's fields beside a label, one after the other: Return edits the field under the mouse, Tab goes on.

    below: a word above the label, as others may look like it: "Frames", and the "Frame 1" of a mark.
    """
    yield from edit_beside(label, below)
    for value in values:
        xdotool("key", "ctrl+a")
        yield moment()
        xdotool("type", "--delay", "15", value)
        yield moment()
        xdotool("key", "Return" if value is values[-1] else "Tab")
        yield moment()


def edit_beside(label: str, below: str) -> Steps:
    """The mouse over the first field beside a label below a word, which is being edited then."""
    for _ in range(6):
        above = min((y for _, y in seen(below, sidebar())), default=0)
        spots = [(x, y) for x, y in seen(label, sidebar()) if y > above]
        if spots:
            break
        yield from scroll("5", 2)  # the field is below the sidebar's end
    assert spots, f"{label!r} is not on the screen below {below!r}"
    yield from move(spots[0][0] + scaled(75), spots[0][1])
    xdotool("key", "Return")
    yield moment()


def choose_in_overlays(*words: str) -> Steps:
    """Pressed one after the other in the clip editor's popover Overlays, which closes then."""
    _, top, right, bottom = header(editors()[0])
    shown = right - scaled(500), bottom, right, bottom + scaled(500)  # without the sidebar's lower panels
    for _ in range(3):  # a click closes a popover that is still there
        yield from click(right - scaled(20), (top + bottom) // 2)  # the header's last arrow, since Blender 5.0
        yield moment(1.0)
        if seen(words[0], shown):
            break
    for word in words:
        yield from press(word, lambda: shown)
    xdotool("key", "Escape")  # it stays open where the mouse leaves it in one leap
    yield moment()
    left, top, right, bottom = plate()
    for x in ((left + right) // 2, left + 30):
        yield from move(x, (top + bottom) // 2)


def preferences() -> Box:
    """What the window of Blender's preferences shows, but for its list of chapters."""
    other = _other_window()
    assert other is not None, "the preferences are not open"
    return box(region("WINDOW", other.screen.areas[0]), other)


def preferences_are_open() -> bool:
    other = _other_window()
    return other is not None and other.screen.areas[0].type == "PREFERENCES"


def _other_window() -> bpy.types.Window | None:
    others = bpy.context.window_manager.windows[1:]
    return others[0] if others else None


def open_add_on() -> Steps:
    """The preferences, by the menu, with this extension in their list; on the display, as a window manager would."""
    yield from press("Edit")
    yield from press("Preferences...")
    yield preferences_are_open
    yield moment(1.0)
    for found in _windows("--name", "Preferences"):
        xdotool("windowmove", found, 40, 40)
    yield moment(1.0)
    yield from press("Add-ons", chapters)
    yield moment(1.0)


def find_add_on() -> Steps:
    """The preferences, with this extension alone in their list."""
    yield from open_add_on()
    left, top, _, _ = preferences()
    yield from click(left + scaled(150), top + scaled(15))  # what is searched for
    yield from write("splat")


def switch_add_on() -> Steps:
    """On or off, by its check box in that list."""
    (x, y) = seen("Splat Matte", preferences())[-1]
    yield from click(x - scaled(52), y)


def add_on_is_on() -> bool:
    return PACKAGE in bpy.context.preferences.addons


def chapters() -> Box:
    other = _other_window()
    assert other is not None, "the preferences are not open"
    return box(region("UI", other.screen.areas[0]), other)


def put_preferences_away() -> Steps:
    """As a window manager minimises a window and gives the keys to the one below it: this display has none, so no frame
    with buttons to press either."""
    for found in _windows("--name", "Preferences"):
        xdotool("windowunmap", found)
    yield moment(1.0)
    assert not _windows("--name", "Preferences"), "the window of the preferences is still there"
    for found in _windows("--class", "blender"):
        xdotool("windowfocus", found)
    yield moment()


def _windows(*wanted: str) -> list[str]:
    """Of the display, those that are shown."""
    search = ["xdotool", "search", "--onlyvisible", *wanted]
    return subprocess.run(search, capture_output=True, text=True, check=False).stdout.split()


def header(area: bpy.types.Area) -> Box:
    """An editor's own menu bar."""
    return box(region("HEADER", area))


def save() -> Steps:
    """By the menu, under the name that Blender suggests."""
    yield from press("File")
    yield from press("Save As...")
    yield lambda: browser() is not None
    yield moment(1.0)
    while (found := browser()) is not None:
        yield from click(*accept(*found))
        yield moment()
    yield lambda: bpy.data.is_saved
    yield moment(1.0)


def accept(where: bpy.types.Window, area: bpy.types.Area) -> tuple[int, int]:
    """The file browser's button at the right."""
    left, top, right, bottom = box(region("EXECUTE", area), where)
    return left + (right - left) * 93 // 100, (top + bottom) // 2


def browser() -> tuple[bpy.types.Window, bpy.types.Area] | None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "FILE_BROWSER":
                return window, area
    return None


def choose(file: Path) -> Steps:
    """In the file browser: Blender takes a file's whole path where a folder's is typed."""
    yield lambda: browser() is not None
    yield moment(1.0)
    where, area = browser()
    left, top, right, bottom = box(region("WINDOW", area), where)
    yield from key("ctrl+l", over=((left + right) // 2, (top + bottom) // 2))  # edits the folder's path
    yield from write(str(file))
    while (found := browser()) is not None:
        yield from click(*accept(*found))
        yield moment()


def tell(story: Steps) -> None:
    """Tell it; Blender ends with exit code 0 if nothing was amiss."""
    waiting: Condition = moment(3.0)
    since = time.monotonic()

    def tick() -> float:
        nonlocal waiting, since
        try:
            if waiting():
                waiting = next(story)
                since = time.monotonic()
            elif time.monotonic() - since > PATIENCE:
                raise TimeoutError(f"what the story waits for did not happen: {waiting.__doc__}")
        except StopIteration:
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            shot(f"failed_{Path(sys.argv[sys.argv.index('-P') + 1]).stem}")
            os._exit(1)
        return 0.05

    bpy.app.timers.register(tick, first_interval=2.0, persistent=True)
