"""Automatic: objects that SAM 2 suggests, and what a splat trainer found moving."""

from __future__ import annotations

import bpy

from ...operators import running
from ...properties import ClipSettings
from .base import ClipPanel
from .job import missing_engine


class SPLATMATTE_PT_automatic(ClipPanel, bpy.types.Panel):
    """Mattes without clicking."""

    bl_label = "Automatic"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012 (Blender's way)

    def draw_clip(self, context: bpy.types.Context, clip: bpy.types.MovieClip, settings: ClipSettings) -> None:
        """Suggestions for this frame; a trainer's folders and what is made of them."""
        layout = self.layout
        layout.enabled = missing_engine() is None and running.running() is None
        layout.operator("splat_matte.suggest", icon="OUTLINER_OB_LIGHTPROBE")
        column = layout.column()
        column.separator()
        for name in ("transients_masks", "transients_diffs", "transients_polarity"):
            column.prop(settings, name)
        row = column.row(align=True)
        row.enabled = bool(settings.transients_masks and settings.transients_diffs)
        row.operator("splat_matte.refine_transients", icon="MOD_MASK")
        row.operator("splat_matte.refine_transients", text="", icon="EXPORT").export = True
