"""To mask: tracked mattes as splines of a Blender Mask, keyed on chosen frames."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy

from ..clip.coordinates import Plate
from ..clip.footage import active_clip, plate_of, read_footage, shown_frame
from ..clip.frame_status import lane_of
from ..contract.errors import MatteError
from ..language import translated
from ..language.properties import EnumProperty, IntProperty
from ..results.take_reader import tracked_frames
from ..settings.clip_settings import settings_of
from ..tasks import job_run
from .base import Result, fail, in_clip_editor


class SPLATMATTE_OT_to_mask(bpy.types.Operator):
    """Make a Mask of the tracked mattes: a layer an object, its splines fitted to the outlines and keyed"""

    bl_idname = "splat_matte.to_mask"
    bl_label = "Mattes to Mask"
    bl_options = {"REGISTER", "UNDO"}

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
        name="Points", description="Of each spline: more follow the outline more closely", default=32, min=4, max=256
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Something is tracked, in a clip editor."""
        if not in_clip_editor(cls, context) or not job_run.nothing_runs(cls):
            return False
        objects = settings_of(active_clip(context)).objects
        if not any(each.use and tracked_frames(each.take) for each in objects):
            cls.poll_message_set(translated("Track first"))
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        """Ask which frames."""
        result: Result = context.window_manager.invoke_props_dialog(self)
        return result

    def execute(self, context: bpy.types.Context) -> Result:
        """Outlines come from the engine, as the export would have them."""
        clip = active_clip(context)
        try:
            reply = job_run.request_outlines(clip, self._frames(context, clip), self.points)
            for _ in reply:
                pass
            plate = plate_of(clip, read_footage(clip)[0])
        except MatteError as error:
            return fail(self, error)
        found = json.loads(Path(reply.result["file"]).read_text(encoding="utf-8"))
        mask = make_mask(context, clip, plate, found)
        keys = len({frame for each in found.values() for frame in each["frames"]})
        self.report({"INFO"}, translated(f"{mask.name}: {len(found)} layers, keyed on {keys} frames"))
        return {"FINISHED"}

    def _frames(self, context: bpy.types.Context, clip: bpy.types.MovieClip) -> list[int]:
        if self.frames == "CURRENT":
            return [shown_frame(clip, context.space_data, context.scene)]
        lane = lane_of(clip)
        if self.frames == "MARKED":
            return sorted(lane["prompted"] & lane["tracked"])
        tracked = sorted(lane["tracked"])
        return sorted({*tracked[:: self.step], tracked[-1]})


def make_mask(
    context: bpy.types.Context,
    clip: bpy.types.MovieClip,
    plate: Plate,
    found: dict[str, Any],
    into: bpy.types.Mask | None = None,
) -> bpy.types.Mask:
    """Of `found`, as engine/session.py's outlines say it; its layers are added to `into`, or to a new mask."""
    shift = clip.frame_start - 1  # clip frame to scene frame
    mask = into or bpy.data.masks.new(f"{Path(clip.name).stem} mattes")
    if into is None:
        mask.frame_start, mask.frame_end = clip.frame_start, clip.frame_start + max(1, clip.frame_duration) - 1
    for name, each in found.items():
        layer = mask.layers.new(name=name)
        layer.use_fill_holes = True
        for path in each["paths"]:
            spline = layer.splines.new()
            spline.use_cyclic = True
            spline.points.add(len(path[0]) - 1)
    with _editing(context, mask):
        for name, each in found.items():
            layer = mask.layers[name]
            for other in mask.layers:  # keys are set where points are selected
                for spline in other.splines:
                    for point in spline.points:
                        point.select = other == layer
            for i, frame in enumerate(each["frames"]):
                context.scene.frame_set(frame + shift)
                for spline, path in zip(layer.splines, each["paths"], strict=True):
                    _shape(spline, [plate.to_mask(frame, (x, y)) for x, y in path[i]])
                bpy.ops.mask.shape_key_insert()
    return mask


def _shape(spline: bpy.types.MaskSpline, places: list[tuple[float, float]]) -> None:
    """A smooth curve through the places: a Catmull-Rom spline as Bezier handles."""
    around = zip(places[-1:] + places[:-1], places, places[1:] + places[:1], strict=True)
    for point, ((x0, y0), (x, y), (x1, y1)) in zip(spline.points, around, strict=True):
        dx, dy = (x1 - x0) / 6, (y1 - y0) / 6
        point.handle_type = "FREE"
        point.co, point.handle_left, point.handle_right = (x, y), (x - dx, y - dy), (x + dx, y + dy)


@contextmanager
def _editing(context: bpy.types.Context, mask: bpy.types.Mask) -> Iterator[None]:
    """The clip editor in mask mode, which keying needs; afterwards as it was, but for the mask that it shows."""
    space: bpy.types.SpaceClipEditor = context.space_data  # type: ignore[assignment]
    mode, frame = space.mode, context.scene.frame_current
    space.mode, space.mask = "MASK", mask
    try:
        yield
    finally:
        space.mode = mode
        context.scene.frame_set(frame)
