"""The open clip editors of all windows."""

from __future__ import annotations

from collections.abc import Iterator

import bpy


def clip_editors() -> Iterator[tuple[bpy.types.Area, bpy.types.SpaceClipEditor]]:
    """Yield area and space of each editor."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            space = area.spaces.active
            if isinstance(space, bpy.types.SpaceClipEditor):
                yield area, space


def redraw() -> None:
    """Redraw all editors."""
    for area, _ in clip_editors():
        area.tag_redraw()


def redraw_sidebars() -> None:
    """Redraw sidebars and toolbars only, which is fast: to redraw the clip, Blender uploads the whole plate."""
    for area, _ in clip_editors():
        for region in area.regions:
            if region.type in ("UI", "TOOLS"):
                region.tag_redraw()
