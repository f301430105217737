"""To mask: tracked mattes as splines of a Blender Mask, keyed on chosen frames."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy

from ..clip.coordinates import ClipCoordinates
from ..clip.footage import active_clip, coordinates_of, read_footage, shown_frame
from ..clip.frame_status import lane_of
from ..clip.prompts import count_of
from ..contract.errors import MatteError
from ..language import translated
from ..language.properties import EnumProperty, IntProperty
from ..results.outlines import ObjectOutlines, read_outlines
from ..results.take_reader import tracked_frames
from ..settings.clip_settings import settings_of
from ..tasks import job_run
from ..viewer.latest_request import LatestRequest
from .base import Result, fail, in_clip_editor, is_open, say_status, start_watching


class SPLATMATTE_OT_to_mask(bpy.types.Operator):
    """Make a Mask of the tracked mattes: a layer an object, its splines fitted to the outlines and keyed"""

    bl_idname = "splat_matte.to_mask"
    bl_label = "Mattes to Mask"
    bl_options = {
        "UNDO"
    }  # no redo panel, as each change there would request the outlines again and wait for the engine

    frames: EnumProperty(
        name="Keys",
        description="The frames on which the splines are keyed",
        items=[
            ("CURRENT", "This Frame", "One key"),
            ("MARKED", "Marked Frames", "A key on each marked frame"),
            ("STEP", "Every n-th Frame", "Keys over all that is tracked"),
        ],
    )
    step: IntProperty(
        name="Step", description="Frames from key to key, of Every n-th Frame", default=5, min=1, max=1000
    )
    points: IntProperty(
        name="Points",
        description="Number of points of each spline: more points follow the outline more closely",
        default=32,
        min=4,
        max=256,
    )

    _in_window = False  # whether it was called from the dialogue

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require a tracked clip in a clip editor."""
        if not in_clip_editor(cls, context) or not job_run.nothing_runs(cls):
            return False
        objects = settings_of(active_clip(context)).objects
        if not any(entry.use and tracked_frames(entry.take) for entry in objects):
            cls.poll_message_set(translated("Track first"))
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        """Ask which frames; *OK* calls `execute`."""
        self._in_window = True
        result: Result = context.window_manager.invoke_props_dialog(self)
        return result

    def execute(self, context: bpy.types.Context) -> Result:
        """Request outlines from the engine, as they would be exported; without a window wait for them, else watch."""
        clip = active_clip(context)
        self._clip = clip.name
        self._latest = LatestRequest[tuple[int, ...]]()
        frames = self._frames(context, clip)
        try:
            reply = self._latest.ask(frames, lambda: job_run.request_outlines(clip, frames, self.points))
            if not self._in_window:
                for _ in reply:
                    pass
                return self._take_answer(context) or {"CANCELLED"}
        except MatteError as error:
            return fail(self, error)
        self._area = context.area
        self._timer = start_watching(self, context)
        say_status(context, "Splat Matte: taking the outlines    Esc: stop")
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        """End on Esc; pass every other event on."""
        stopped = event.type == "ESC" and event.value == "PRESS"
        if stopped or not is_open(self._area) or self._clip not in bpy.data.movieclips:
            self.cancel(context)
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        region = next(region for region in self._area.regions if region.type == "WINDOW")
        try:
            with context.temp_override(area=self._area, region=region):
                result = self._take_answer(bpy.context)
        except MatteError as error:
            self.cancel(context)
            return fail(self, error)
        if result is None:
            return {"PASS_THROUGH"}
        self.cancel(context)
        return result

    def cancel(self, context: bpy.types.Context) -> None:
        """Clean up at the end, on behalf of Blender or of the artist."""
        self._latest.cancel()
        context.window_manager.event_timer_remove(self._timer)
        say_status(context, None)

    def _take_answer(self, context: bpy.types.Context) -> Result | None:
        """Make the mask once the outlines have arrived; None until then. Raises MatteError."""
        if (answer := self._latest.answer()) is None:
            return None
        clip = bpy.data.movieclips[self._clip]
        found = read_outlines(Path(answer[1]["file"]))
        mask = make_mask(context, clip, coordinates_of(clip, read_footage(clip)[0]), found)
        keys = len({frame for outlines in found.values() for frame in outlines.frames})
        layers, on = count_of(len(found), "layer"), count_of(keys, "frame")
        self.report({"INFO"}, translated("{1}: {2}, keyed on {3}", mask.name, layers, on))
        return {"FINISHED"}

    def _frames(self, context: bpy.types.Context, clip: bpy.types.MovieClip) -> tuple[int, ...]:
        if self.frames == "CURRENT":
            return (shown_frame(clip, context.space_data, context.scene),)
        lane = lane_of(clip)
        if self.frames == "MARKED":
            return tuple(sorted(lane["prompted"] & lane["tracked"]))
        tracked = sorted(lane["tracked"])
        return tuple(sorted({*tracked[:: self.step], tracked[-1]}))


def make_mask(
    context: bpy.types.Context,
    clip: bpy.types.MovieClip,
    coordinates: ClipCoordinates,
    found: dict[str, ObjectOutlines],
    into: bpy.types.Mask | None = None,
) -> bpy.types.Mask:
    """Add a layer for each object of `found`, keyed on its frames, to `into` or to a new mask."""
    shift = clip.frame_start - 1  # clip frame to scene frame
    mask = into or bpy.data.masks.new(f"{Path(clip.name).stem} mattes")
    if into is None:
        mask.frame_start, mask.frame_end = clip.frame_start, clip.frame_start + max(1, clip.frame_duration) - 1
    made: dict[str, str] = {}  # names of the layers, as Blender appends a number to a name that is taken
    for name, outlines in found.items():
        layer = mask.layers.new(name=name)
        made[name] = layer.name
        layer.use_fill_holes = True
        for path in outlines.paths:
            spline = layer.splines.new()
            spline.use_cyclic = True
            spline.points.add(len(path[0]) - 1)
    with _editing(context, mask):
        for name, outlines in found.items():
            layer = mask.layers[made[name]]
            for other in mask.layers:  # keys are set for layers with selected points
                for spline in other.splines:
                    for point in spline.points:
                        point.select = other == layer
            for i, frame in enumerate(outlines.frames):
                context.scene.frame_set(frame + shift)
                for spline, path in zip(layer.splines, outlines.paths, strict=True):
                    _shape(spline, [coordinates.to_mask(frame, (x, y)) for x, y in path[i]])
                bpy.ops.mask.shape_key_insert()
    return mask


def _shape(spline: bpy.types.MaskSpline, places: list[tuple[float, float]]) -> None:
    """Set a smooth curve through the places: a Catmull-Rom spline as Bezier handles."""
    around = zip(places[-1:] + places[:-1], places, places[1:] + places[:1], strict=True)
    for point, ((x0, y0), (x, y), (x1, y1)) in zip(spline.points, around, strict=True):
        dx, dy = (x1 - x0) / 6, (y1 - y0) / 6
        point.handle_type = "FREE"
        point.co, point.handle_left, point.handle_right = (x, y), (x - dx, y - dy), (x + dx, y + dy)


@contextmanager
def _editing(context: bpy.types.Context, mask: bpy.types.Mask) -> Iterator[None]:
    """Switch the clip editor to mask mode, which keying needs; afterwards restore it, except for the shown mask."""
    space: bpy.types.SpaceClipEditor = context.space_data  # type: ignore[assignment]
    mode, frame = space.mode, context.scene.frame_current
    space.mode, space.mask = "MASK", mask
    try:
        yield
    finally:
        space.mode = mode
        context.scene.frame_set(frame)
