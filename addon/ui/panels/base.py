"""Base classes of all panels: their place, and the clip that they show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ...settings.clip_settings import ClipSettings, settings_of

# Blender also finds a panel's attributes in mix-ins, if these are plain classes.
if TYPE_CHECKING:
    PanelMixin = bpy.types.Panel
else:
    PanelMixin = object


class Panel(PanelMixin):
    """The place of all panels."""

    bl_space_type = "CLIP_EDITOR"
    bl_region_type = "UI"
    bl_category = "Splat Matte"


class ClipPanel(Panel):
    """A panel that needs a clip."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require a clip in the editor."""
        return clip_of(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel for the clip."""
        self.layout.use_property_split = True
        self.layout.use_property_decorate = False
        clip = clip_of(context)
        self.draw_clip(context, clip, settings_of(clip))

    def draw_clip(self, context: bpy.types.Context, clip: bpy.types.MovieClip, settings: ClipSettings) -> None:
        """Draw the contents; each panel has its own."""
        raise NotImplementedError


def clip_of(context: bpy.types.Context) -> bpy.types.MovieClip | None:
    """Return the clip in the editor."""
    space = context.space_data
    return space.clip if isinstance(space, bpy.types.SpaceClipEditor) else None
