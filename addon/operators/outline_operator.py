"""Base of suggest and pick: outlines over the plate, the one under the mouse highlighted, and clicks on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import gpu
from gpu_extras.batch import batch_for_shader

from ..clip.coordinates import ClipCoordinates
from ..clip.editors import redraw
from ..clip.footage import active_clip, coordinates_of, read_footage, shown_frame
from ..contract.errors import MatteError
from ..language import translated
from ..language.properties import FloatVectorProperty, IntProperty
from ..results.outlines import Suggestion, read_suggestions, smallest_at
from ..runtime.engine_client import Reply
from ..runtime.log_file import logged
from ..tasks import job_run
from ..viewer.latest_request import LatestRequest
from .base import (
    OperatorMixin,
    Result,
    fail,
    in_clip_editor,
    is_open,
    over_clip,
    say_status,
    start_watching,
    window_region,
)

_NOWHERE = (-1.0, -1.0)

Look = tuple[tuple[float, float, float, float], float]  # colour, and width in pixels


class OutlineOperator(OperatorMixin):
    """Mix-in of operators that request outlines and handle a click on one of them."""

    bl_options = {"REGISTER", "UNDO"}

    follows = False  # whether outlines are requested again when the artist goes to another frame

    location: FloatVectorProperty(
        name="Location",
        description="Take what is here, 0 to 1 from the frame's bottom left",
        size=2,
        default=_NOWHERE,
        options={"SKIP_SAVE"},
    )
    frame: IntProperty(
        name="Frame", description="Frame of the clip, counted from 1. 0: the frame that is shown", options={"SKIP_SAVE"}
    )

    _clip: str
    _frame: int
    _found: list[Suggestion]
    _under: int | None
    _latest: LatestRequest[int]  # the clip frame whose outlines are requested
    _batches: dict[int, list[gpu.types.GPUBatch]]  # by id() of a suggestion

    # -- each operator's own --------------------------------------------------------------------------------------

    def _request(self, clip: bpy.types.MovieClip, frame: int) -> Reply:
        """Send the request. Raises MatteError."""
        raise NotImplementedError

    def _answered(self) -> None:
        """React to the arrival of `_found`."""

    def _take(self, context: bpy.types.Context, chosen: int) -> Result:
        """Handle a click on number `chosen` of `_found`."""
        raise NotImplementedError

    def _words(self) -> str:
        """Return words for the status bar, once `_found` has arrived."""
        raise NotImplementedError

    def _look(self, suggestion: Suggestion) -> Look:
        """Return the look of an outline that is not under the mouse."""
        raise NotImplementedError

    # -- Blender's ------------------------------------------------------------------------------------------------

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require a clip, and no running Job."""
        return in_clip_editor(cls, context) and job_run.nothing_runs(cls)

    def execute(self, context: bpy.types.Context) -> Result:
        """Without a window, or from a script: take the outline at `location`."""
        try:
            for _ in self._open(context):
                pass
            self._take_answer()
        except MatteError as error:
            return fail(self, error)
        return self._click(context, self._coordinates.from_marker(self._frame, (self.location[0], self.location[1])))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        """In a window: send the request, then wait for clicks."""
        try:
            self._open(context)
        except MatteError as error:
            return fail(self, error)
        self._area = context.area
        self._timer = start_watching(self, context)
        self._handle: Any = bpy.types.SpaceClipEditor.draw_handler_add(self._draw, (), "WINDOW", "POST_PIXEL")
        say_status(context, "Splat Matte: looking    Esc: stop")
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        """Take the outline under each click; end on Esc or the right button; pass every other event on."""
        if event.type in ("ESC", "RIGHTMOUSE") and event.value == "PRESS":
            self.cancel(context)
            return {"CANCELLED"}  # each click has already made an undo step
        if not is_open(self._area) or self._area.type != "CLIP_EDITOR" or self._clip not in bpy.data.movieclips:
            self.cancel(context)
            return {"CANCELLED"}
        if event.type == "TIMER":
            return self._poll(context, event)
        if event.type not in ("MOUSEMOVE", "LEFTMOUSE") or not self._found:
            return {"PASS_THROUGH"}
        place = self._point(event)
        if event.type == "MOUSEMOVE" or event.value != "PRESS" or place is None:
            return {"PASS_THROUGH"}
        with context.temp_override(area=self._area, region=window_region(self._area)):
            if self._click(bpy.context, place) == {"FINISHED"}:
                bpy.ops.ed.undo_push(message=translated(self.bl_label))
        say_status(context, f"Splat Matte: {self._words()}    Esc: done")
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """End the operator, on behalf of Blender or of the artist."""
        self._latest.cancel()
        bpy.types.SpaceClipEditor.draw_handler_remove(self._handle, "WINDOW")
        context.window_manager.event_timer_remove(self._timer)
        say_status(context, None)
        redraw()

    # -- asking ---------------------------------------------------------------------------------------------------

    @logged
    def _open(self, context: bpy.types.Context) -> Reply:
        self._clip = active_clip(context).name
        clip = bpy.data.movieclips[self._clip]
        self._coordinates: ClipCoordinates = coordinates_of(clip, read_footage(clip)[0])
        self._latest = LatestRequest()
        return self._ask(clip, self.frame or shown_frame(clip, context.space_data, context.scene))

    def _ask(self, clip: bpy.types.MovieClip, frame: int) -> Reply:
        """Request a frame's outlines; a pending answer for another frame is dropped."""
        self._found = []
        self._under = None
        self._frame = frame
        return self._latest.ask(frame, lambda: self._request(clip, frame))

    @logged
    def _poll(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        """Check which frame is shown, and whether the answer has arrived."""
        try:
            space = self._area.spaces.active
            clip = bpy.data.movieclips[self._clip]
            if self.follows and isinstance(space, bpy.types.SpaceClipEditor) and space.clip == clip:
                frame = shown_frame(clip, space, context.scene)
                if frame != self._frame and 1 <= frame <= self._coordinates.footage.frame_count:
                    self._ask(clip, frame)
            if self._take_answer():
                self._point(event)
                say_status(context, f"Splat Matte: {self._words()}    Esc: done")
                redraw()
        except MatteError as error:
            self.cancel(context)
            return fail(self, error)
        return {"PASS_THROUGH"}

    def _take_answer(self) -> bool:
        """Take the answer; return whether it has arrived. Raises MatteError."""
        if (answer := self._latest.answer()) is None:
            return False
        _, self._result = answer
        self._found = read_suggestions(Path(self._result["file"]))
        self._batches = {}
        self._answered()
        return True

    @logged
    def _click(self, context: bpy.types.Context, place: tuple[float, float]) -> Result:
        """Take the smallest outline at a place of the plate."""
        chosen = smallest_at(self._found, place)
        if chosen is None:
            self.report({"WARNING"}, translated("No outline is here"))
            return {"CANCELLED"}
        result = self._take(context, chosen)
        redraw()
        return result

    def _point(self, event: bpy.types.Event) -> tuple[float, float] | None:
        """Return the mouse's place on the plate, if it is over the clip, and highlight the outline there."""
        place = None
        if over_clip(self._area, event):
            region = window_region(self._area)
            here = _at(region, event.mouse_x - region.x, event.mouse_y - region.y)
            place = self._coordinates.from_marker(self._frame, here)
        under = smallest_at(self._found, place) if place else None
        if under != self._under:
            self._under = under
            redraw()
        return place

    # -- drawing --------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        """Draw the outlines, the one under the mouse in white and on top."""
        space = bpy.context.space_data
        if not isinstance(space, bpy.types.SpaceClipEditor) or space.clip is None or space.clip.name != self._clip:
            return
        if shown_frame(space.clip, space, bpy.context.scene) != self._frame:
            return
        view = bpy.context.region.view2d
        corners: Any = view.view_to_region(0, 0, clip=False), view.view_to_region(1, 1, clip=False)
        (left, bottom), (right, top) = corners
        shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
        gpu.state.blend_set("ALPHA")
        shader.bind()
        shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
        with gpu.matrix.push_pop():  # type: ignore[attr-defined]  # missing in Blender's stubs
            gpu.matrix.translate((left, bottom))
            gpu.matrix.scale((right - left, top - bottom))
            for i in sorted(range(len(self._found)), key=lambda i: i == self._under):
                colour, width = self._look(self._found[i])
                shader.uniform_float("color", (1.0, 1.0, 1.0, 1.0) if i == self._under else colour)
                shader.uniform_float("lineWidth", max(width, 3.0) if i == self._under else width)
                for batch in self._batches_of(self._found[i], shader):
                    batch.draw(shader)
        gpu.state.blend_set("NONE")

    def _batches_of(self, suggestion: Suggestion, shader: gpu.types.GPUShader) -> list[gpu.types.GPUBatch]:
        """Return its outlines, 0 to 1 over the frame; built once, as there may be hundreds."""
        if id(suggestion) not in self._batches:
            closed = (
                [self._coordinates.to_marker(self._frame, at) for at in (*path, path[0])] for path in suggestion.paths
            )
            places: list[Any] = [[(*at, 0.0) for at in path] for path in closed]
            self._batches[id(suggestion)] = [batch_for_shader(shader, "LINE_STRIP", {"pos": path}) for path in places]
        return self._batches[id(suggestion)]


def _at(region: bpy.types.Region, x: int, y: int) -> tuple[float, float]:
    place: Any = region.view2d.region_to_view(x, y)
    return place[0], place[1]
