"""Strokes: the layers of the clip's annotation that mark the selected object."""

from __future__ import annotations

import bpy

from ...clip.strokes import annotation_of
from ...language import CONTEXT
from ...settings.clip_settings import ClipSettings
from ..text import draw_text
from .base import ClipPanel


class SPLATMATTE_PT_strokes(ClipPanel, bpy.types.Panel):
    """The layer that includes, and the one that excludes."""

    bl_label = "Strokes"
    bl_parent_id = "SPLATMATTE_PT_objects"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_clip(self, context: bpy.types.Context, clip: bpy.types.MovieClip, settings: ClipSettings) -> None:
        """Draw a row for each, and how to draw strokes."""
        layout = self.layout
        entry = settings.chosen()
        annotation = annotation_of(clip)
        if entry is None or annotation is None or not annotation.layers:
            draw_text(
                layout, context, "Hold D and draw over the clip: Blender's Annotate. Then choose its layers here."
            )
            return
        for name, text, icon in (("include_layer", "Include", "ADD"), ("exclude_layer", "Exclude", "REMOVE")):
            layout.prop_search(entry, name, annotation, "layers", text=text, text_ctxt=CONTEXT, icon=icon)  # type: ignore[arg-type]
