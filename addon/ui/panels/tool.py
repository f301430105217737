"""Mark Subject: the tool's button, in the editor's toolbar and above all panels of the sidebar."""

from __future__ import annotations

import bpy

from ...operators import mark_subject
from .base import clip_of
from .job import HEIGHT


class SPLATMATTE_PT_tool(bpy.types.Panel):
    """In the toolbar."""

    bl_label = "Mark Subject"
    bl_space_type = "CLIP_EDITOR"
    bl_region_type = "TOOLS"
    bl_category = "Splat Matte"
    bl_options = {"HIDE_HEADER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """A clip in the editor."""
        return clip_of(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """The button."""
        draw_tool(self.layout)


def draw_tool(layout: bpy.types.UILayout) -> None:
    """The button, pressed as long as the tool is on."""
    row = layout.row()
    row.scale_y = HEIGHT
    row.operator("splat_matte.mark_subject", icon="CURSOR", depress=mark_subject.is_on())
