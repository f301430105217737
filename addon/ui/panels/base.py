"""What all panels begin with: where they are, and the clip they speak of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ...settings.clip_settings import ClipSettings, settings_of

# Blender takes a panel's attributes from mix-ins too, as long as these are plain classes.
if TYPE_CHECKING:
    PanelMixin = bpy.types.Panel
else:
    PanelMixin = object


class Panel(PanelMixin):
    """Where all of them are."""

    bl_space_type = "CLIP_EDITOR"
    bl_region_type = "UI"
    bl_category = "Splat Matte"


class ClipPanel(Panel):
    """Those that need a clip."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """A clip in the editor."""
        return clip_of(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """What the panel says of the clip."""
        self.layout.use_property_split = True
        self.layout.use_property_decorate = False
        clip = clip_of(context)
        self.draw_clip(context, clip, settings_of(clip))

    def draw_clip(self, context: bpy.types.Context, clip: bpy.types.MovieClip, settings: ClipSettings) -> None:
        """Each panel's own."""
        raise NotImplementedError


def clip_of(context: bpy.types.Context) -> bpy.types.MovieClip | None:
    """The clip in the editor."""
    space = context.space_data
    return space.clip if isinstance(space, bpy.types.SpaceClipEditor) else None
