"""Sentences in panels: Blender cuts labels off, so they are wrapped here to the width that there is."""

from __future__ import annotations

import blf
import bpy

from ..contract.errors import MatteError
from ..language import translated

_FONT = 0  # the interface's own
_MARGIN = 85  # pixels at scale 1: tabs, the borders of panel and box, an icon
_POINTS = 11


def draw_text(
    layout: bpy.types.UILayout,
    context: bpy.types.Context,
    text: str,
    icon: str = "BLANK1",
    *,
    lines: int = 0,
    translate: bool = True,
) -> None:
    """Draw `text` over as many lines as it needs, the icon beside the first. Names and paths are not translated.

    Args:
        lines: at least so many, so that what stands below stays where it is when the text becomes another.
    """
    scale = context.preferences.system.ui_scale
    blf.size(_FONT, _POINTS * scale)
    width = max(60 * scale, context.region.width - _MARGIN * scale)
    column = layout.column(align=True)
    column.scale_y = 0.8
    for paragraph in (translated(text) if translate else text).splitlines():
        for line in _wrap(paragraph, width):
            column.label(text=line, icon=icon, translate=False)  # type: ignore[arg-type]
            icon = "BLANK1"
            lines -= 1
    for _ in range(lines):
        column.label()


def draw_error(layout: bpy.types.UILayout, context: bpy.types.Context, error: MatteError) -> None:
    """What happened and what to do, then where: a path is the longest and says the least."""
    draw_text(layout, context, f"{translated(error.message)} {translated(error.hint)}", "ERROR", translate=False)
    if error.where:
        draw_text(layout, context, error.where, translate=False)


def _wrap(text: str, width: float) -> list[str]:
    lines = [""]
    for word in text.split():
        for piece in _pieces(word, width):
            longer = f"{lines[-1]} {piece}" if lines[-1] else piece
            if lines[-1] and blf.dimensions(_FONT, longer)[0] > width:
                lines.append(piece)
            else:
                lines[-1] = longer
    return lines


def _pieces(word: str, width: float) -> list[str]:
    """A word that is wider than the panel, a path for instance, cut into parts that aren't."""
    pieces = []
    while blf.dimensions(_FONT, word)[0] > width and len(word) > 1:
        fits = next(n for n in range(len(word) - 1, 0, -1) if n == 1 or blf.dimensions(_FONT, word[:n])[0] <= width)
        pieces.append(word[:fits])
        word = word[fits:]
    return [*pieces, word]
