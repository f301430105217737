"""Finishing: post-processing of the mattes after tracking."""

from __future__ import annotations

import bpy

from ...contract.targets import TARGETS
from ...settings.clip_settings import ClipSettings
from ...viewer import finished_mattes
from ..text import draw_text
from .base import ClipPanel
from .presets import SPLATMATTE_PT_finish_presets


class SPLATMATTE_PT_finish(ClipPanel, bpy.types.Panel):
    """Post-processing of the mattes."""

    bl_label = "Finishing"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        """Draw the menu of presets."""
        SPLATMATTE_PT_finish_presets.draw_panel_header(self.layout)

    def draw_clip(self, context: bpy.types.Context, clip: bpy.types.MovieClip, settings: ClipSettings) -> None:
        """Draw the finishing of the active tracking object and, below it, of objects that are mask layers."""
        layout = self.layout
        active = clip.tracking.objects.active
        if active is not None:
            draw_text(layout, context, active.name, "OBJECT_DATA", translate=False)
            if active.name in settings.objects:
                _draw_finishing(layout, context, settings, active.name)
            else:
                draw_text(layout, context, "Preview or track this object first.", "INFO")
        for entry in settings.objects:
            if entry.name not in clip.tracking.objects:
                header, body = layout.panel(f"splat_matte_finish_{entry.name}", default_closed=True)
                header.label(text=entry.name, translate=False, icon="MOD_MASK")
                if body is not None:
                    _draw_finishing(body, context, settings, entry.name)
        if finished_mattes.error():
            draw_text(layout, context, finished_mattes.error(), "ERROR")


def _draw_finishing(layout: bpy.types.UILayout, context: bpy.types.Context, settings: ClipSettings, name: str) -> None:
    """Draw the steps in the order in which they are applied."""
    finishing = settings.objects[name].finishing
    row = layout.row()
    row.use_property_split = False  # the label is longer than the space beside a field
    row.prop(finishing, "temporal")
    column = layout.column(align=True)
    column.prop(finishing, "fill_holes")
    column.prop(finishing, "remove_islands")
    column = layout.column(align=True)
    column.prop(finishing, "smooth")
    column.prop(finishing, "grow")
    layout.prop(finishing, "subtract", icon="OBJECT_DATA")
    layout.prop(finishing, "invert")
    column = layout.column(align=True)
    column.prop(finishing, "soft")
    column.prop(finishing, "feather")
    if (finishing.soft or finishing.feather) and not TARGETS[settings.target].rules.keeps_greys(settings.greys):
        label = TARGETS[settings.target].label
        draw_text(layout, context, f"{label} gets hard edges: export for Compositing to keep soft ones.", "INFO")
    layout.prop(finishing, "garbage")
