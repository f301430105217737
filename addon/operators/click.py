"""Click: a marker where the mouse is, on the subject or on what is not."""

from __future__ import annotations

import bpy

from ..clip.editors import redraw
from ..clip.footage import active_clip, shown_frame
from ..language import translated
from ..language.properties import BoolProperty, FloatVectorProperty
from ..settings.palette import EXCLUDE, INCLUDE
from .base import Result, is_open, say_status


class SPLATMATTE_OT_click(bpy.types.Operator):
    """Add a marker on the subject where the mouse is. From a button: at each click, until Esc"""

    bl_idname = "splat_matte.click"
    bl_label = "Click on Subject"
    bl_options = {"REGISTER", "UNDO"}

    exclude: BoolProperty(name="Exclude", description="It is on what is not the subject", options={"SKIP_SAVE"})
    location: FloatVectorProperty(
        name="Location", description="On the frame, 0 to 1 from its bottom left", size=2, options={"SKIP_SAVE"}
    )

    at_mouse: BoolProperty(
        name="At the Mouse",
        description="Where the mouse is, at once, as by a key. Off: at each click, until Esc",
        options={"HIDDEN", "SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """A clip, and a tracking object to add to."""
        clip = active_clip(context)
        if clip is None or clip.tracking.objects.active is None:
            cls.poll_message_set(translated("Open footage first"))
            return False
        return True

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        """Of either role."""
        if properties.exclude:
            return translated(
                "Add a marker on what is not the subject, where the mouse is. From a button: at each click, until Esc"
            )
        return ""

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        """By a key: where the mouse is. From a panel, a menu or the search: wait for clicks."""
        if self.at_mouse:  # the region says nothing: Blender runs a panel's buttons in the window's
            return self._click(context, event)
        self._area = context.area
        context.window_manager.modal_handler_add(self)
        context.window.cursor_modal_set("CROSSHAIR")
        role = "what is not the subject" if self.exclude else "the subject"
        say_status(context, f"Splat Matte: click on {role}    Esc: done")
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        """Each click adds a marker; Esc or the right button ends it; everything else passes through."""
        if not is_open(self._area) or (event.type in ("ESC", "RIGHTMOUSE") and event.value == "PRESS"):
            self.cancel(context)
            return {"CANCELLED"}  # each click is a step of undo already
        if event.type != "LEFTMOUSE" or event.value != "PRESS":
            return {"PASS_THROUGH"}
        region = next((region for region in self._area.regions if region.type == "WINDOW"), None)
        if region is None or self._area.type != "CLIP_EDITOR":
            return {"PASS_THROUGH"}
        inside = 0 <= event.mouse_x - region.x < region.width and 0 <= event.mouse_y - region.y < region.height
        if not inside or over_other_region(self._area, event):
            return {"PASS_THROUGH"}
        with context.temp_override(area=self._area, region=region):
            if not self.poll(bpy.context):  # the clip is gone
                self.cancel(context)
                return {"CANCELLED"}
            self.location = region.view2d.region_to_view(event.mouse_x - region.x, event.mouse_y - region.y)
            if self.execute(bpy.context) == {"FINISHED"}:
                bpy.ops.ed.undo_push(message=translated(self.bl_label))
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends it, or the artist."""
        context.window.cursor_modal_restore()
        say_status(context, None)

    def _click(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        self.location = context.region.view2d.region_to_view(event.mouse_region_x, event.mouse_region_y)
        return self.execute(context)

    def execute(self, context: bpy.types.Context) -> Result:
        """Add it, and select it alone."""
        clip = active_clip(context)
        u, v = self.location
        if not (0 <= u <= 1 and 0 <= v <= 1):
            self.report({"WARNING"}, translated("That is outside the image"))
            return {"CANCELLED"}
        tracks = clip.tracking.objects.active.tracks
        frame = shown_frame(clip, context.space_data, context.scene)
        for other in tracks:
            other.select = False
        track = tracks.new(name="Exclude" if self.exclude else "Include", frame=frame)
        track.markers.insert_frame(frame, co=(u, v))
        track.use_custom_color = True
        track.color = EXCLUDE if self.exclude else INCLUDE
        track.select = True
        redraw()
        return {"FINISHED"}


def over_other_region(area: bpy.types.Area, event: bpy.types.Event) -> bool:
    """Whether the mouse is over a sidebar or header, which may lie over the clip."""
    return any(
        region.type != "WINDOW"
        and region.x <= event.mouse_x < region.x + region.width
        and region.y <= event.mouse_y < region.y + region.height
        for region in area.regions
    )
