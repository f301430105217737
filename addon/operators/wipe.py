"""Wipe: drag the line between the plate and the overlay."""

from __future__ import annotations

import bpy

from ..clip.editors import redraw
from ..settings.clip_settings import settings_of
from .base import Result, in_clip_editor, is_open, say_status, window_region


class SPLATMATTE_OT_wipe(bpy.types.Operator):
    """Compare with the plate: the line between it and the overlay follows the mouse until a click, or Esc"""

    bl_idname = "splat_matte.wipe"
    bl_label = "Wipe"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require a clip in a clip editor."""
        return in_clip_editor(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        """Start following the mouse."""
        space: bpy.types.SpaceClipEditor = context.space_data  # type: ignore[assignment]
        self._clip = space.clip.name
        self._area = context.area
        settings_of(space.clip).overlay_wipe = True
        context.window_manager.modal_handler_add(self)
        say_status(context, "Splat Matte: click to leave the line here    Esc: no wipe")
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        """Move the line to the mouse; a click ends it."""
        clip: bpy.types.MovieClip = bpy.data.movieclips.get(self._clip)
        if clip is None or not is_open(self._area) or self._area.type != "CLIP_EDITOR":
            return self._end(context)
        settings = settings_of(clip)
        if event.type in ("ESC", "RIGHTMOUSE") and event.value == "PRESS":
            settings.overlay_wipe = False
            return self._end(context)
        if event.type == "LEFTMOUSE" and event.value == "PRESS":
            return self._end(context)
        if event.type != "MOUSEMOVE":
            return {"PASS_THROUGH"}
        region = window_region(self._area)
        place: tuple[float, float] = region.view2d.region_to_view(event.mouse_x - region.x, 0)  # type: ignore[assignment]
        settings.overlay_split = place[0]
        redraw()
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """End it on behalf of Blender."""
        say_status(context, None)

    def _end(self, context: bpy.types.Context) -> Result:
        say_status(context, None)
        redraw()
        return {"FINISHED"}
