"""Without Clicking: objects that SAM 2 suggests, what it finds in all frames, and transients of a splat trainer."""

from __future__ import annotations

import bpy

from ...language import CONTEXT
from ...settings.clip_settings import ClipSettings
from ..text import draw_text
from .base import ClipPanel
from .job import missing_engine


class SPLATMATTE_PT_automatic(ClipPanel, bpy.types.Panel):
    """Mattes without clicking."""

    bl_label = "Without Clicking"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_clip(self, context: bpy.types.Context, clip: bpy.types.MovieClip, settings: ClipSettings) -> None:
        """Draw suggestions for this frame, and what is found and picked."""
        layout = self.layout
        layout.enabled = missing_engine() is None
        layout.operator("splat_matte.suggest", icon="OUTLINER_OB_LIGHTPROBE")
        layout.separator()
        _draw_found(layout, context, settings)


class SPLATMATTE_PT_transients(ClipPanel, bpy.types.Panel):
    """Transients of a static capture."""

    bl_label = "Clean Transients"
    bl_parent_id = "SPLATMATTE_PT_automatic"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_clip(self, context: bpy.types.Context, clip: bpy.types.MovieClip, settings: ClipSettings) -> None:
        """Draw a trainer's folders and the button that refines them."""
        layout = self.layout
        layout.enabled = missing_engine() is None
        for name in ("transients_masks", "transients_diffs", "transients_polarity"):
            layout.prop(settings, name)
        row = layout.row(align=True)
        row.enabled = bool(settings.transients_masks and settings.transients_diffs)
        row.operator("splat_matte.refine_transients", icon="MOD_MASK")
        row.operator("splat_matte.refine_transients", text="", icon="EXPORT").export = True


def _draw_found(layout: bpy.types.UILayout, context: bpy.types.Context, settings: ClipSettings) -> None:
    row = layout.row()
    row.use_property_split = False
    row.prop(settings, "automatic", expand=True)
    if settings.automatic == "parts":
        draw_text(layout, context, "20 s a frame and more on a CPU: try a short range. Esc keeps what is done.", "TIME")
    row = layout.row(align=True)
    words = "Find Parts" if settings.automatic == "parts" else "Find Things"
    row.operator("splat_matte.find", text=words, text_ctxt=CONTEXT, icon="VIEWZOOM")
    row.operator("splat_matte.find", text="", icon="EXPORT").export = True
    layout.operator("splat_matte.pick", icon="RESTRICT_SELECT_OFF")
    if settings.found.numbers:
        row = layout.row()
        picked = settings.found.picked()
        draw_text(row, context, f"{len(picked)} picked: {settings.found.numbers}", "CHECKMARK")
        row.operator("splat_matte.clear_picked", text="", icon="X", emboss=False)
