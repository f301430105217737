"""Click: add a marker at the mouse, on the subject or on what is not. For keys and scripts."""

from __future__ import annotations

import bpy

from ..clip.editors import redraw
from ..clip.footage import active_clip, shown_frame
from ..clip.marks import add_point
from ..language import translated
from ..language.properties import BoolProperty, FloatVectorProperty
from .base import Result


class SPLATMATTE_OT_click(bpy.types.Operator):
    """Add a marker on the subject where the mouse is"""

    bl_idname = "splat_matte.click"
    bl_label = "Click on Subject"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    exclude: BoolProperty(name="Exclude", description="It is on what is not the subject", options={"SKIP_SAVE"})
    location: FloatVectorProperty(
        name="Location", description="On the frame, 0 to 1 from its bottom left", size=2, options={"SKIP_SAVE"}
    )

    at_mouse: BoolProperty(
        name="At the Mouse",
        description="Where the mouse is, at once, as by a key. Off: the tool, which takes clicks until Esc",
        options={"HIDDEN", "SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require a clip with a tracking object."""
        clip = active_clip(context)
        if clip is None or clip.tracking.objects.active is None:
            cls.poll_message_set(translated("Open footage first"))
            return False
        return True

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        """Return the tooltip of each role."""
        if properties.exclude:
            return translated("Add a marker on what is not the subject, where the mouse is")
        return ""

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        """Add a marker at the mouse. Keys assigned to an earlier version's button start the tool instead."""
        if not self.at_mouse:
            return bpy.ops.splat_matte.mark_subject("INVOKE_DEFAULT")  # type: ignore[no-any-return,attr-defined]
        self.location = context.region.view2d.region_to_view(event.mouse_region_x, event.mouse_region_y)
        return self.execute(context)

    def execute(self, context: bpy.types.Context) -> Result:
        """Add a marker and make it the only selected one."""
        clip = active_clip(context)
        u, v = self.location
        if not (0 <= u <= 1 and 0 <= v <= 1):
            self.report({"WARNING"}, translated("That is outside the image"))
            return {"CANCELLED"}
        add_point(clip, shown_frame(clip, context.space_data, context.scene), (u, v), include=not self.exclude)
        redraw()
        return {"FINISHED"}
