"""An artist's way through the extension in a real Blender window; each state is checked, and a picture taken of it.

    blender --window-geometry 0 0 WIDTH HEIGHT -P tests/gui/story.py -- FOOTAGE FOLDER

`python3 vendor_setup test gui-long` starts it so, with the extension installed. The window fills the display, and
SPLAT_MATTE_PYTHON is set. FOOTAGE is the first file of a copy of demo/clips/toy/rgb: marks are
placed on what is to be seen there, and mattes are written beside it. Pictures go to FOLDER. Clicks and keys are real
ones. What pictures must contain is asserted, never what each pixel is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import driver
from driver import Condition, at, click, editor, has, lane, look, override, part, press, redraw, region, settled
from picking import picking

FOOTAGE, FOLDER = (Path(each) for each in sys.argv[sys.argv.index("--") + 1 :])
SUBJECT = (0.49, 0.6)  # the teapot
BESIDE = (0.1, 0.2)  # the floor


def shot(name: str, whole: bool = False) -> None:
    driver.shot(FOLDER, name, whole)


def story() -> Iterator[Condition]:
    """From nothing to a version, and back."""
    make_clip_editor()
    yield settled()
    region("UI").active_panel_category = "Splat Matte"
    redraw()
    yield settled()
    shot("no-footage")
    no_key_is_blenders_own()

    clip = bpy.data.movieclips.load(str(FOOTAGE))
    editor().spaces.active.clip = clip
    bpy.context.scene.frame_end = clip.frame_duration
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

    yield from marking()
    yield from tracking()
    yield from overlay()
    yield from exporting()
    yield from press("Escape")  # closes the message, which takes all keys
    the_clip().splat_matte.output = ""
    yield from picking(the_clip(), FOLDER)


def marking() -> Iterator[Condition]:
    tracks = the_clip().tracking.objects["Camera"].tracks
    yield from click(0.72, 0.3, "ctrl")
    assert len(tracks) == 1, "Blender's own click"
    yield from press("alt+shift+x")
    assert tracks[0].use_custom_color, "the hot-key excludes what is selected"
    yield from click(*BESIDE, "ctrl", "shift")
    assert len(tracks) == 2, "a click that excludes"
    marker = tracks[1].markers[0]
    assert np.allclose(marker.co, BESIDE, atol=0.02), marker.co[:]
    yield from press("ctrl+z")
    clip = the_clip()
    assert len(clip.tracking.objects["Camera"].tracks) == 1, "undone"
    with bpy.context.temp_override(window=driver.window(), area=editor(), region=region("UI")):
        assert bpy.ops.splat_matte.click("INVOKE_DEFAULT") == {"RUNNING_MODAL"}, "from a button"
    for spot in ((0.3, 0.3), (0.4, 0.3)):
        yield from click(*spot)
    yield from press("Escape")
    names = [track.name for track in the_clip().tracking.objects["Camera"].tracks]
    assert len(names) == 3, ("a marker at each click", names)
    yield from press("ctrl+z")
    assert len(the_clip().tracking.objects["Camera"].tracks) == 2, "each can be undone"
    yield from press("ctrl+z")
    yield from click(0.5, 0.05)
    clip = the_clip()
    assert len(clip.tracking.objects["Camera"].tracks) == 1, "until Esc"

    mark(clip)
    redraw()
    yield settled()
    yield lambda: "Lamp" in clip.splat_matte.objects
    shown = look()
    assert has(lane(), part("clip.frame_status").KINDS["prompted"].colour), "the lane shows what is marked"
    words = shown[-110:-40, :400]
    assert has(words, part("ui.overlay").colours(clip)["Camera"], 60), "it says that there is no matte yet"
    shot("marked", whole=True)


def tracking() -> Iterator[Condition]:
    clip = the_clip()
    settings = clip.splat_matte
    settings.use_range, settings.range_start, settings.range_end = True, 1, 22
    start("track")
    yield lambda: tracked() >= 1
    yield settled()
    shot("tracking", whole=True)
    yield from press("Escape")
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
    yield from press("Escape")  # closes the message, which takes all keys

    # Step by step, by keys: the marked frames 1 and 4, the playhead on 4
    scene = bpy.context.scene
    scene.frame_set(1)
    yield from press("alt+Next")
    assert scene.frame_current == 4, "to the next marked frame"
    yield from press("alt+period")
    yield lambda: run().error is None and idle()
    yield settled()
    assert scene.frame_current == 5, "one frame on, and there"
    kinds = part("clip.frame_status").lane_of(clip)
    assert {4, 5} <= kinds["tracked"], kinds
    shot("step-by-step", whole=True)
    kinds = part("clip.frame_status").KINDS
    assert has(lane(), kinds["tracked"].colour) or has(lane(), kinds["suspect"].colour), "and the lane shows it"


def overlay() -> Iterator[Condition]:
    """With a drawn subject: its matte does not depend on the model."""
    clip = the_clip()
    scene, settings = bpy.context.scene, clip.splat_matte
    draw_mask(clip)
    for each in clip.tracking.objects:
        settings.entry(each.name).use = False
    scene.frame_set(1)
    start("track", towards="NEXT")
    yield idle
    yield settled()  # the playhead goes along
    assert run().error is None, run().error
    scene.frame_current = 1
    yield lambda: editor().spaces.active.clip_user.frame_current == 1
    yield settled()
    settings.overlay_show = False
    redraw()
    yield settled()
    plate_on, plate_off = at(*SUBJECT), at(*BESIDE)
    settings.overlay_show = True
    entry = settings.objects["Drawn"]
    entry.colour = (1.0, 0.0, 1.0)
    settings.overlay_opacity = 0.6
    redraw()
    yield settled()
    shot("overlay-fill", whole=True)
    filled = at(*SUBJECT)
    assert filled[0] > plate_on[0] or filled[2] > plate_on[2], (filled, plate_on)
    assert filled[1] < plate_on[1] * 0.6, ("the fill is magenta", filled, plate_on)
    assert np.abs(at(*BESIDE) - plate_off).max() < 8, "nothing beside it"

    for style, on, off in (("matte", 255, 0), ("checker", None, None), ("outline", None, None)):
        settings.overlay_style = style
        redraw()
        yield settled()
        if on is not None:
            assert at(*SUBJECT).min() > on - 10
            assert at(*BESIDE).max() < off + 10
        else:
            assert np.abs(at(*SUBJECT) - plate_on).max() < 12, f"{style} leaves the subject as it is"
        if style == "checker":
            assert np.ptp(at(*BESIDE)) < 6, "grey instead of the plate"
        shot(f"overlay-{style}", whole=True)
    assert has(look(), (1.0, 0.0, 1.0)), "an outline of the object's colour"

    settings.overlay_style = "matte"
    yield from press("alt+shift+w")
    driver.xdotool(*driver.place(0.8, 0.5))
    yield settled()
    driver.xdotool("click", "1")
    yield settled()
    assert abs(settings.overlay_split - 0.8) < 0.02, settings.overlay_split
    assert np.abs(at(*SUBJECT) - plate_on).max() < 8, "the plate, on the left of the line"
    assert at(0.95, 0.5).max() < 10, "the matte, on its right"
    shot("overlay-wipe", whole=True)
    settings.overlay_wipe = False

    yield from finishing()

    settings.overlay_style = "fill"
    entry.hide = True
    redraw()
    yield settled()
    assert np.abs(at(*SUBJECT) - plate_on).max() < 8, "hidden"
    entry.hide = False
    with override():
        assert bpy.ops.splat_matte.to_mask(frames="CURRENT") == {"FINISHED"}
    editor().spaces.active.mode = "MASK"
    redraw()
    yield settled()
    shot("mattes-to-mask", whole=True)
    editor().spaces.active.mode = "TRACKING"
    settings.mask = None
    for each in clip.tracking.objects:
        settings.entry(each.name).use = True


def finishing() -> Iterator[Condition]:
    """The overlay follows it without being asked, and nothing is tracked."""
    clip = the_clip()
    chosen = clip.splat_matte.objects["Drawn"].finishing
    before = run()
    chosen.invert = True
    redraw()
    yield lambda: at(*SUBJECT).max() < 10 and at(*BESIDE).min() > 245
    chosen.invert, chosen.grow = False, -clip.size[1]
    redraw()
    yield lambda: at(*SUBJECT).max() < 10 and at(*BESIDE).max() < 10
    chosen.grow = 0.0
    redraw()
    yield lambda: at(*SUBJECT).min() > 245
    assert run() is before


def exporting() -> Iterator[Condition]:
    settings = the_clip().splat_matte
    settings.use_range = False
    start("export")
    yield idle
    yield settled()
    assert run().error is None, run().error
    assert has(lane(), part("clip.frame_status").KINDS["exported"].colour), "the lane shows what is exported"
    shot("exported")
    yield from driver.scroll_sidebar("5")
    shot("export-panel")
    yield from driver.scroll_sidebar("4")
    with override():
        assert bpy.ops.splat_matte.to_compositor() == {"FINISHED"}
    area = editor()
    area.type = "NODE_EDITOR"
    area.ui_type = "CompositorNodeTree"
    scene = bpy.context.scene
    if hasattr(scene, "compositing_node_group"):
        area.spaces.active.node_tree = scene.compositing_node_group
    yield settled()
    with bpy.context.temp_override(
        window=driver.window(), area=area, region=next(each for each in area.regions if each.type == "WINDOW")
    ):
        bpy.ops.node.view_all()
    yield settled()
    area.type = "CLIP_EDITOR"
    yield settled()

    settings.output = str(FOOTAGE / "not a folder")
    start("export")
    yield idle
    assert type(run().error).__name__ == "OutputError", run().error


def no_key_is_blenders_own() -> None:
    """Keys of the extension against Blender's in the editors where both count."""
    configurations = bpy.context.window_manager.keyconfigs

    def pressed(item: bpy.types.KeyMapItem) -> tuple[object, ...]:
        return item.type, item.value, item.shift_ui, item.ctrl_ui, item.alt_ui, item.oskey_ui

    ours = {
        pressed(item): item.idname
        for item in configurations.addon.keymaps["Clip Editor"].keymap_items
        if item.idname.startswith("splat_matte.")
    }
    assert len(ours) >= len(part("ui.menus").KEYS)
    for name in ("Clip", "Clip Editor", "Frames", "Screen", "Screen Editing", "Window"):
        for item in configurations.default.keymaps[name].keymap_items:
            assert pressed(item) not in ours, (name, item.idname, ours[pressed(item)])


def make_clip_editor() -> None:
    """Of the largest area, over the whole window."""
    area = max(bpy.context.window.screen.areas, key=lambda each: each.width * each.height)
    area.type = "CLIP_EDITOR"
    with bpy.context.temp_override(window=bpy.context.window, area=area):
        bpy.ops.screen.screen_full_area()
    area = editor()
    area.spaces.active.show_region_ui = True
    area.spaces.active.show_region_toolbar = False


def mark(clip: bpy.types.MovieClip) -> None:
    """A subject in the middle with a correction, another object, and some marks that do not count."""
    camera = clip.tracking.objects["Camera"]
    marks = (("On", SUBJECT), ("On too", (0.62, 0.57)))
    camera.tracks[0].name = "Off"
    for name, spot in marks:
        track = camera.tracks.new(name=name, frame=1)
        track.markers.insert_frame(1, co=spot)
    camera.tracks["On"].markers.insert_frame(4, co=(0.5, 0.62))
    camera.tracks.new(name="Hidden", frame=1).hide = True
    other = clip.tracking.objects.new("Horse")
    other.tracks.new(name="On", frame=1).markers.insert_frame(1, co=(0.9, 0.43))
    clip.tracking.objects.new("Lamp").tracks.new(name="On", frame=1).markers[0].mute = True
    clip.tracking.objects.active = camera
    for track in camera.tracks:
        track.select = track.name == "On"


def draw_mask(clip: bpy.types.MovieClip) -> None:
    """A diamond around the subject, keyed on frame 1."""
    mask = bpy.data.masks.new("Drawn")
    layer = mask.layers.new(name="Drawn")
    spline = layer.splines.new()
    spline.use_cyclic = True
    spline.points.add(3)
    space = editor().spaces.active
    with override():
        space.mode, space.mask = "MASK", mask
        bpy.context.scene.frame_set(1)
        x, y = SUBJECT[0], 0.5 + (SUBJECT[1] - 0.5) * clip.size[1] / clip.size[0]
        for point, (dx, dy) in zip(spline.points, ((-0.12, 0), (0, -0.1), (0.12, 0), (0, 0.1)), strict=True):
            spot = (x + dx, y + dy)
            point.co, point.handle_left, point.handle_right, point.select = spot, spot, spot, True
        bpy.ops.mask.shape_key_insert()
        space.mode = "TRACKING"
    clip.splat_matte.mask = mask


def start(verb: str, **properties: object) -> None:
    with override():
        getattr(bpy.ops.splat_matte, verb)("INVOKE_DEFAULT", **properties)


def run():
    return part("tasks.job_run").latest()


def tracked() -> int:
    progress = run().progress
    return progress["done"] if progress and progress["stage"] == "track" else 0


def idle() -> bool:
    return part("tasks.job_run").running() is None


def the_clip() -> bpy.types.MovieClip:
    """Looked up anew: references dangle after undo."""
    return bpy.data.movieclips[FOOTAGE.name]


driver.run(story())
