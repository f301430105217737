"""The clip editors that are open, in all windows."""

from __future__ import annotations

from collections.abc import Iterator

import bpy


def clip_editors() -> Iterator[tuple[bpy.types.Area, bpy.types.SpaceClipEditor]]:
    """Area and space of each."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            space = area.spaces.active
            if isinstance(space, bpy.types.SpaceClipEditor):
                yield area, space


def redraw() -> None:
    """Draw all of them anew."""
    for area, _ in clip_editors():
        area.tag_redraw()


def redraw_sidebars() -> None:
    """Draw sidebars and toolbars anew, which is quick: Blender uploads the whole plate whenever it draws the clip."""
    for area, _ in clip_editors():
        for region in area.regions:
            if region.type in ("UI", "TOOLS"):
                region.tag_redraw()
