"""Suggest: the automatic masks of the frame over the plate; a click takes one as an object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import gpu
from bpy.props import FloatVectorProperty
from gpu_extras.batch import batch_for_shader

from ..clip.colour import PALETTE
from ..clip.coordinates import Plate
from ..clip.editors import redraw
from ..clip.footage import active_clip, plate_of, read_footage, shown_frame
from ..clip.names import follow_names
from ..engine_client import Reply
from ..errors import MatteError
from ..properties import settings_of
from ..suggested import Suggestion, read_suggestions, smallest_at
from . import running
from .base import Result
from .click import over_other_region
from .to_mask import make_mask

_INTERVAL = 0.1  # seconds
_NOWHERE = (-1.0, -1.0)


class SPLATMATTE_OT_suggest(bpy.types.Operator):
    """Show what could be an object on this frame. A click takes one: it becomes a layer of the clip's mask"""

    bl_idname = "splat_matte.suggest"
    bl_label = "Suggest Objects"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 (Blender's way)

    location: FloatVectorProperty(  # type: ignore[valid-type]
        name="Location",
        description="Take what is here, 0 to 1 from the frame's bottom left",
        size=2,
        default=_NOWHERE,
        options={"SKIP_SAVE"},
    )

    _clip: str
    _frame: int
    _found: list[Suggestion]
    _under: int | None

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """A clip, and nothing running."""
        space = context.space_data
        if not isinstance(space, bpy.types.SpaceClipEditor) or space.clip is None:
            cls.poll_message_set("Open footage first")
            return False
        if running.running() is not None:
            cls.poll_message_set("Something is running already: wait for it, or stop it")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> Result:
        """Without a window, or from a script: take what is at `location`."""
        try:
            self._ask(context)
            for _ in self._reply:
                pass
            self._take_in()
        except MatteError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return self._take(context, self._plate.from_marker(self._frame, (self.location[0], self.location[1])))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        """In a window: ask, then wait for clicks."""
        try:
            self._ask(context)
        except MatteError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self._area = context.area
        self._timer = context.window_manager.event_timer_add(_INTERVAL, window=context.window)
        self._handle: Any = bpy.types.SpaceClipEditor.draw_handler_add(self._draw, (), "WINDOW", "POST_PIXEL")
        context.window_manager.modal_handler_add(self)
        context.workspace.status_text_set("Splat Matte: looking for objects    Esc: stop")
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        """Each click takes a suggestion; Esc or the right button ends it; everything else passes through."""
        if event.type in ("ESC", "RIGHTMOUSE") and event.value == "PRESS":
            self.cancel(context)
            return {"FINISHED"}
        if event.type == "TIMER" and self._reply.result is None:
            return self._poll(context)
        if event.type not in ("MOUSEMOVE", "LEFTMOUSE") or not self._found:
            return {"PASS_THROUGH"}
        region = next(each for each in self._area.regions if each.type == "WINDOW")
        x, y = event.mouse_x - region.x, event.mouse_y - region.y
        inside = 0 <= x < region.width and 0 <= y < region.height and not over_other_region(self._area, event)
        place = self._plate.from_marker(self._frame, self._at(region, x, y)) if inside else None
        under = smallest_at(self._found, place) if place else None
        if under != self._under:
            self._under = under
            redraw()
        if event.type == "MOUSEMOVE" or event.value != "PRESS" or place is None:
            return {"PASS_THROUGH"}
        with context.temp_override(area=self._area, region=region):
            if self._take(bpy.context, place) == {"FINISHED"}:
                bpy.ops.ed.undo_push(message=self.bl_label)
        return {"RUNNING_MODAL"}

    @staticmethod
    def _at(region: bpy.types.Region, x: int, y: int) -> tuple[float, float]:
        place: Any = region.view2d.region_to_view(x, y)
        return place[0], place[1]

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends it, or the artist."""
        if self._reply.result is None:
            running.stop_suggestions()
        bpy.types.SpaceClipEditor.draw_handler_remove(self._handle, "WINDOW")
        context.window_manager.event_timer_remove(self._timer)
        context.workspace.status_text_set(None)
        redraw()

    def _ask(self, context: bpy.types.Context) -> None:
        self._found = []
        self._under = None
        self._clip = active_clip(context).name
        clip = bpy.data.movieclips[self._clip]
        self._frame = shown_frame(clip, context.space_data, context.scene)
        self._plate: Plate = plate_of(clip, read_footage(clip)[0])
        self._reply: Reply = running.request_suggestions(clip, self._frame)

    def _poll(self, context: bpy.types.Context) -> Result:
        """See whether the answer has come."""
        try:
            self._reply.poll()
            if self._reply.result is not None:
                self._take_in()
                words = f"{len(self._found)} suggestions: click on one to take it    Esc: done"
                context.workspace.status_text_set(f"Splat Matte: {words}")
                redraw()
        except MatteError as error:
            self.report({"ERROR"}, str(error))
            self.cancel(context)
            return {"CANCELLED"}
        return {"PASS_THROUGH"}

    def _take_in(self) -> None:
        assert self._reply.result is not None
        self._found = read_suggestions(Path(self._reply.result["file"]))

    def _take(self, context: bpy.types.Context, place: tuple[float, float]) -> Result:
        """Make the smallest suggestion at a place of the plate a layer of the clip's mask, keyed on its frame."""
        number = smallest_at(self._found, place)
        if number is None:
            self.report({"WARNING"}, f"None of the {len(self._found)} suggestions is here")
            return {"CANCELLED"}
        clip = bpy.data.movieclips[self._clip]
        settings = settings_of(clip)
        name = _unused(clip, settings.mask)
        paths = [[path] for path in self._found[number].paths]
        settings.mask = make_mask(
            context, clip, self._plate, {name: {"frames": [self._frame], "paths": paths}}, settings.mask
        )
        follow_names(clip)
        self._found = [each for i, each in enumerate(self._found) if i != number]
        self.report({"INFO"}, f"{name} is a layer of {settings.mask.name} now")
        redraw()
        return {"FINISHED"}

    def _draw(self) -> None:
        """Outlines in the objects' colours, the one under the mouse white."""
        space = bpy.context.space_data
        if not isinstance(space, bpy.types.SpaceClipEditor) or space.clip is None or space.clip.name != self._clip:
            return
        if shown_frame(space.clip, space, bpy.context.scene) != self._frame:
            return
        view = bpy.context.region.view2d
        shader = gpu.shader.from_builtin("UNIFORM_COLOR")
        gpu.state.blend_set("ALPHA")
        shader.bind()
        for i, each in enumerate(self._found):
            chosen = i == self._under
            gpu.state.line_width_set(3.0 if chosen else 1.5)
            shader.uniform_float("color", (1, 1, 1, 1) if chosen else (*PALETTE[i % len(PALETTE)], 0.9))
            for path in each.paths:
                closed = (self._plate.to_marker(self._frame, at) for at in (*path, path[0]))
                corners: Any = [view.view_to_region(*at, clip=False) for at in closed]
                batch_for_shader(shader, "LINE_STRIP", {"pos": corners}).draw(shader)
        gpu.state.line_width_set(1.0)
        gpu.state.blend_set("NONE")


def _unused(clip: bpy.types.MovieClip, mask: bpy.types.Mask | None) -> str:
    """A name that no object and no layer has."""
    taken = {each.name for each in clip.tracking.objects} | {each.name for each in (mask.layers if mask else ())}
    number = 1
    while f"Suggestion {number}" in taken:
        number += 1
    return f"Suggestion {number}"
