"""Menu entries and keys for what the sidebar offers too."""

from __future__ import annotations

import bpy

_KEYS = (("splat_matte.mark_include", "I"), ("splat_matte.mark_exclude", "X"))  # with Alt

_keymap_items: list[tuple[bpy.types.KeyMap, bpy.types.KeyMapItem]] = []


def _draw_marks(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.separator()
    self.layout.operator("splat_matte.mark_include")
    self.layout.operator("splat_matte.mark_exclude")


def _draw_all(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    _draw_marks(self, context)
    self.layout.operator("splat_matte.track", text="Track Mattes")
    self.layout.operator("splat_matte.export", text="Export Mattes")


def register() -> None:
    """Add them."""
    bpy.types.CLIP_MT_track.append(_draw_all)  # type: ignore[arg-type]
    bpy.types.CLIP_MT_tracking_context_menu.append(_draw_marks)  # type: ignore[arg-type]
    configuration = bpy.context.window_manager.keyconfigs.addon
    if configuration is None:  # in the background
        return
    keymap = configuration.keymaps.new(name="Clip Editor", space_type="CLIP_EDITOR")
    for operator, key in _KEYS:
        _keymap_items.append((keymap, keymap.keymap_items.new(operator, key, "PRESS", alt=True)))  # type: ignore[arg-type]


def unregister() -> None:
    """Take them away."""
    for keymap, item in _keymap_items:
        keymap.keymap_items.remove(item)
    _keymap_items.clear()
    bpy.types.CLIP_MT_tracking_context_menu.remove(_draw_marks)  # type: ignore[arg-type]
    bpy.types.CLIP_MT_track.remove(_draw_all)  # type: ignore[arg-type]
