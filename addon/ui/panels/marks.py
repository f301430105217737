"""Marks of the selected object: frame and kind. A click goes there, a cross removes the mark."""

from __future__ import annotations

import bpy

from ...clip.footage import scene_frame, shown_frame
from ...clip.prompts import Mark, MarkKind, Prompts
from ...language import CONTEXT, translated

_ROWS = 8  # most rows, those nearest to the shown frame
_ICONS: dict[MarkKind, str] = {
    "include": "ADD",
    "exclude": "REMOVE",
    "box": "MESH_PLANE",
    "mask": "MOD_MASK",
    "strokes": "GREASEPENCIL",
}


def draw_marks(
    layout: bpy.types.UILayout, context: bpy.types.Context, clip: bpy.types.MovieClip, prompts: Prompts | None
) -> None:
    """Draw one row per mark, ordered by frame."""
    active = clip.tracking.objects.active
    marks = prompts.marks.get(active.name) if prompts is not None and active is not None else None
    listed = marks.listed() if marks is not None else []
    header, body = layout.panel("splat_matte_marks")
    header.label(text=translated(f"Marks ({len(listed)})" if listed else "Marks"), translate=False)
    if body is None or not listed:
        return
    here = shown_frame(clip, context.space_data, context.scene)
    first = nearest(listed, here)
    column = body.column(align=True)
    for mark in listed[first : first + _ROWS]:
        _draw_mark(column, clip, active.name, mark, mark.frame == here)
    if (more := len(listed) - _ROWS) > 0:
        column.label(text=translated(f"{more} more, on frames farther away"), translate=False)


def nearest(listed: list[Mark], frame: int) -> int:
    """Return the index of the first row, so that the rows surround the shown frame."""
    before = sum(mark.frame < frame for mark in listed)
    return max(0, min(before - _ROWS // 2, len(listed) - _ROWS))


def _draw_mark(layout: bpy.types.UILayout, clip: bpy.types.MovieClip, name: str, mark: Mark, is_here: bool) -> None:
    row = layout.row(align=True)
    place = row.row(align=True)
    place.alignment = "LEFT"
    kind = bpy.app.translations.pgettext_iface(mark.kind.capitalize(), CONTEXT)
    text = translated("Frame {1}: {2}", scene_frame(clip, mark.frame), kind)
    go = place.operator(
        "splat_matte.go_to_mark",
        text=text,
        translate=False,
        icon=_ICONS[mark.kind],  # type: ignore[arg-type]
        emboss=is_here,
        depress=is_here,
    )
    go.frame, go.name, go.holder = mark.frame, name, mark.holder
    end = row.row(align=True)
    end.alignment = "RIGHT"
    remove = end.operator("splat_matte.remove_mark", text="", icon="X", emboss=False)
    remove.frame, remove.name, remove.kind, remove.holder = mark.frame, name, mark.kind, mark.holder
