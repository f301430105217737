"""A counter of changes of masks, by which caches of masks know when to read them again."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.app.handlers import persistent

_changes = 0


def masks_changed() -> None:
    """Count a change. Called when a mask has changed, another mask is used, or another file is open."""
    global _changes
    _changes += 1


def changes() -> int:
    """The number of changes so far."""
    return _changes


@persistent  # type: ignore[untyped-decorator]
def _on_update(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    if any(isinstance(update.id, bpy.types.Mask) for update in depsgraph.updates):
        masks_changed()


@persistent  # type: ignore[untyped-decorator]
def _on_other_data(*_: object) -> None:
    masks_changed()


def _handlers() -> list[tuple[list[Any], Any]]:
    handlers = bpy.app.handlers
    return [
        (handlers.depsgraph_update_post, _on_update),
        (handlers.load_post, _on_other_data),
        (handlers.undo_post, _on_other_data),
        (handlers.redo_post, _on_other_data),
    ]


def register() -> None:
    """Start watching."""
    for handlers, function in _handlers():
        handlers.append(function)


def unregister() -> None:
    """Stop watching."""
    for handlers, function in _handlers():
        handlers.remove(function)
