"""Mark Subject: the tool. While it is active, clicks in a clip editor set marks; everything else is Blender's.

Extensions can't add tools to the clip editor (see bpy.utils.register_tool in 4.2 to 5.2), so this is a modal operator
that stays active. Except during a drag it keeps no reference to an editor or a clip, so these may come and go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import bpy

from ..clip.editors import redraw
from ..clip.footage import shown_frame
from ..clip.marks import Corners, add_box, add_point
from ..contract.errors import MatteError
from ..language import CONTEXT, translated
from ..runtime.log_file import logged
from ..viewer.object_at import object_at
from .base import Result, fail, give_hints, is_open, over_clip, window_region

_Kind = Literal["include", "exclude", "select"]
_GIZMOS = (48.0, 88.0)  # width and height of the corner with Blender's buttons, in pixels at a scale of 1


@dataclass(slots=True)
class _Press:
    """The left button is held down. Places are 0 to 1 from the bottom left of the frame."""

    area: bpy.types.Area
    clip: str
    kind: _Kind
    mouse: tuple[int, int]
    start: tuple[float, float]
    end: tuple[float, float]
    is_drag: bool = False


class _Tool:
    """The state of the tool while it is active."""

    def __init__(self) -> None:
        self.press: _Press | None = None
        self.crosshair = False
        self.annotates = False  # D is held, so Blender's Annotate tool draws strokes


_on: _Tool | None = None


def is_on() -> bool:
    """Whether the tool is active."""
    return _on is not None


def dragged(area: bpy.types.Area) -> Corners | None:
    """Return the box that is being drawn in an editor, or None."""
    press = _on.press if _on is not None else None
    return (press.start, press.end) if press is not None and press.is_drag and press.area == area else None


def switch_off(context: bpy.types.Context) -> None:
    """Deactivate the tool; the operator ends with the next event."""
    global _on
    if _on is None:
        return
    _on = None
    for window in context.window_manager.windows:
        window.cursor_modal_restore()
    give_hints(context, None)
    redraw()


class SPLATMATTE_OT_mark_subject(bpy.types.Operator):
    """Mark the subject by clicks in the clip, until Esc. Click: it is the subject. Ctrl-click: it is not. \
Drag: a box around it. Shift-click: choose the object that is there"""

    bl_idname = "splat_matte.mark_subject"
    bl_label = "Mark Subject"
    bl_options = {"REGISTER"}  # its marks are undo steps, the tool itself is none

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require a clip in an editor of this window."""
        if context.window is None or not any(_editors(context.window)):
            cls.poll_message_set(translated("Open footage first"))
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        """Toggle the tool."""
        global _on
        if _on is not None:
            switch_off(context)
            return {"FINISHED"}
        self._tool = _on = _Tool()
        context.window_manager.modal_handler_add(self)
        give_hints(context, _draw_hints)
        redraw()
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        """Handle Esc, and clicks and drags over a clip; pass every other event on."""
        if self._tool is not _on:
            return {"FINISHED", "PASS_THROUGH"}
        if not any(_editors(context.window)):
            switch_off(context)
            return {"FINISHED", "PASS_THROUGH"}
        area = next((area for area in _editors(context.window) if _is_free(context, area, event)), None)
        press = self._tool.press
        if press is not None and not _is_there(press):
            press = self._tool.press = None
        if event.type == "ESC" and event.value == "PRESS":
            return self._escape(context)
        if event.type == "MOUSEMOVE":
            self._point(context, area is not None or press is not None)
            if press is not None:
                _drag(context, press, event)
                return {"RUNNING_MODAL"}
        elif event.type == "RIGHTMOUSE" and press is not None:
            return self._escape(context)
        elif event.type == "LEFTMOUSE" and event.value == "RELEASE" and press is not None:
            self._tool.press = None
            return self._do(context, press)
        elif event.type == "D":
            self._tool.annotates = event.value == "PRESS"  # repeats while the key is held
        elif area is not None and _is_press(event):
            if self._tool.annotates:
                self._tool.annotates = False  # if the key is released during a stroke, Annotate consumes the event
                return {"PASS_THROUGH"}
            self._tool.press = _pressed(area, event)
            return {"RUNNING_MODAL"}
        return {"PASS_THROUGH"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator: its window is closed, or another file is opened."""
        if self._tool is _on:
            switch_off(context)

    def _escape(self, context: bpy.types.Context) -> Result:
        """Cancel the drag; without one, deactivate the tool."""
        if self._tool.press is not None:
            self._tool.press = None
            redraw()
            return {"RUNNING_MODAL"}
        switch_off(context)
        return {"FINISHED"}

    def _point(self, context: bpy.types.Context, over: bool) -> None:
        """Show a crosshair over clips, and Blender's own pointer elsewhere."""
        if over != self._tool.crosshair:
            self._tool.crosshair = over
            if over:
                context.window.cursor_modal_set("CROSSHAIR")
            else:
                context.window.cursor_modal_restore()

    @logged
    def _do(self, context: bpy.types.Context, press: _Press) -> Result:
        """Carry out a click or a drag as one undo step."""
        with context.temp_override(area=press.area, region=window_region(press.area)):
            try:
                step = self._mark(bpy.context, press)
            except MatteError as error:
                fail(self, error)
                return {"RUNNING_MODAL"}
            if step:
                bpy.ops.ed.undo_push(message=step)
        redraw()
        return {"RUNNING_MODAL"}

    def _mark(self, context: bpy.types.Context, press: _Press) -> str:
        """Carry out a click or a drag; return the name of the undo step, empty if nothing was done."""
        space: bpy.types.SpaceClipEditor = context.space_data  # type: ignore[assignment]
        clip, frame = space.clip, shown_frame(space.clip, space, context.scene)
        if not 1 <= frame <= clip.frame_duration:
            return self._refuse(translated("The clip has no picture on this frame"))
        if press.kind == "select":
            name = object_at(clip, frame, press.start)
            if not name:
                return self._refuse(translated("No object is here"))
            clip.tracking.objects.active = clip.tracking.objects[name]
            return translated("Select Object")
        if press.is_drag:
            corners = _inside(press.start), _inside(press.end)
            if any(a == b for a, b in zip(*corners, strict=True)):
                return self._refuse(translated("That is outside the image"))
            add_box(space, frame, corners)
            return translated("Box")
        if press.start != _inside(press.start):
            return self._refuse(translated("That is outside the image"))
        add_point(clip, frame, press.start, include=press.kind == "include")
        return translated("Mark as Include" if press.kind == "include" else "Mark as Exclude")

    def _refuse(self, words: str) -> str:
        self.report({"WARNING"}, words)
        return ""


def _editors(window: bpy.types.Window) -> Iterator[bpy.types.Area]:
    """Yield the editors that show a clip."""
    for area in window.screen.areas:
        space = area.spaces.active
        if isinstance(space, bpy.types.SpaceClipEditor) and space.clip is not None and space.view == "CLIP":
            yield area


def _is_free(context: bpy.types.Context, area: bpy.types.Area, event: bpy.types.Event) -> bool:
    """Whether a click is the tool's: over the clip, but not over Blender's buttons for pan and zoom."""
    return over_clip(area, event) and not _over_gizmos(area, event, context.preferences.system.ui_scale)


def _over_gizmos(area: bpy.types.Area, event: bpy.types.Event, scale: float) -> bool:
    """Whether the mouse is over these buttons, in the upper right corner of the area that no other region covers."""
    space: bpy.types.SpaceClipEditor = area.spaces.active  # type: ignore[assignment]
    if not (space.show_gizmo and space.show_gizmo_navigate):
        return False
    region = window_region(area)
    right, top = region.x + region.width, region.y + region.height
    for other in area.regions:
        if other.type == "UI" and other.width > 1:
            right = min(right, other.x)
        elif other.type == "HEADER" and other.y > region.y:
            top = min(top, other.y)
    across, down = (side * scale for side in _GIZMOS)
    return event.mouse_x > right - across and event.mouse_y > top - down


def _is_press(event: bpy.types.Event) -> bool:
    """Whether the left button is pressed. With Alt it may emulate a middle button."""
    is_left = event.type == "LEFTMOUSE" and event.value in ("PRESS", "DOUBLE_CLICK")
    return is_left and not (event.alt or event.oskey)


def _is_there(press: _Press) -> bool:
    """Whether the editor still shows the clip in which the button was pressed."""
    if not is_open(press.area):
        return False
    space = press.area.spaces.active
    return isinstance(space, bpy.types.SpaceClipEditor) and space.clip is not None and space.clip.name == press.clip


def _pressed(area: bpy.types.Area, event: bpy.types.Event) -> _Press:
    kind: _Kind = "exclude" if event.ctrl else "select" if event.shift else "include"
    place = _place(area, event)
    return _Press(area, area.spaces.active.clip.name, kind, (event.mouse_x, event.mouse_y), place, place)  # type: ignore[attr-defined]


def _drag(context: bpy.types.Context, press: _Press, event: bpy.types.Event) -> None:
    """Start or extend a box once the mouse has moved by Blender's drag threshold. Only an include can be a box."""
    x, y = press.mouse
    inputs, scale = context.preferences.inputs, context.preferences.system.ui_scale
    far = max(abs(event.mouse_x - x), abs(event.mouse_y - y)) >= inputs.drag_threshold_mouse * scale
    if press.kind == "include" and (press.is_drag or far):
        press.is_drag = True
        press.end = _place(press.area, event)
        press.area.tag_redraw()


def _place(area: bpy.types.Area, event: bpy.types.Event) -> tuple[float, float]:
    region = window_region(area)
    place: Any = region.view2d.region_to_view(event.mouse_x - region.x, event.mouse_y - region.y)
    return place[0], place[1]


def _inside(place: tuple[float, float]) -> tuple[float, float]:
    """Return the nearest place inside the frame."""
    u, v = (min(max(side, 0.0), 1.0) for side in place)
    return u, v


def _draw_hints(header: bpy.types.Header, context: bpy.types.Context) -> None:
    """Draw hints in the status bar, as Blender's own tools do."""
    row = header.layout.row(align=True)
    for icons, text in (
        (("MOUSE_LMB",), "Include"),
        (("EVENT_CTRL", "MOUSE_LMB"), "Exclude"),
        (("MOUSE_LMB_DRAG",), "Box"),
        (("EVENT_SHIFT", "MOUSE_LMB"), "Select Object"),
        (("EVENT_ESC",), "Done"),
    ):
        for icon in icons[:-1]:
            row.label(icon=icon)  # type: ignore[arg-type]
        row.label(text=text, text_ctxt=CONTEXT, icon=icons[-1])  # type: ignore[arg-type]
        row.separator(factor=2.0)
