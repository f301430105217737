"""Wraps sentences in panels to the available width, as Blender cuts labels off.

Lines break between words, and in Japanese and Chinese between characters, where no line begins with closing punctuation
such as a full stop, and none ends with opening punctuation (JIS X 4051, W3C's Requirements for Chinese Text Layout).
French has spaces before some punctuation.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

import blf
import bpy

from ..contract.errors import MatteError
from ..language import translated

_FONT = 0  # the interface's font
_MARGIN = 92  # pixels at scale 1 for tabs, the borders of panel and box, and an icon
_POINTS = 11

_OPENS = "「『（〈《【〔“‘"
_CLOSES = "、。，．：；？！」』）〉》】〕”’ー～…々％ぁぃぅぇぉっゃゅょァィゥェォッャュョ"
_WIDE = rf"(?:(?![{_OPENS}{_CLOSES}])[\u2e80-\u9fff\uac00-\ud7af\uff00-\uffef])"
_LOANWORD = r"[\u30a1-\u30fa\u30fc]+"  # katakana, kept together as one word
_WORD = rf"(?:(?!{_WIDE})[^\s{_OPENS}{_CLOSES}])+"
_UNIT = re.compile(rf"(\s*)([{_OPENS}]*(?:{_LOANWORD}|{_WIDE}|{_WORD})?[{_CLOSES}]*(?:\s?\.{{3}}|[.,)]|\s?[;:!?»])*)")


def draw_text(
    layout: bpy.types.UILayout,
    context: bpy.types.Context,
    text: str,
    icon: str = "BLANK1",
    *,
    lines: int = 0,
    translate: bool = True,
) -> None:
    """Draw `text` over as many lines as it needs, with the icon beside the first. Names and paths are not translated.

    Args:
        layout, context: as in a panel's draw.
        text: the text.
        icon: a Blender icon.
        lines: least number of lines, so that what follows stays in place when the text changes.
        translate: whether the text is translated.
    """
    scale = context.preferences.system.ui_scale
    width = max(60 * scale, context.region.width - _MARGIN * scale)
    column = layout.column(align=True)
    column.scale_y = 0.8
    for paragraph in (translated(text) if translate else text).splitlines():
        for line in _wrap(paragraph, width, _POINTS * scale):
            column.label(text=line, icon=icon, translate=False)  # type: ignore[arg-type]
            icon = "BLANK1"
            lines -= 1
    for _ in range(lines):
        column.label()


def draw_error(layout: bpy.types.UILayout, context: bpy.types.Context, error: MatteError) -> None:
    """Draw what happened and what to do, then where, since a path is the longest and least important part."""
    draw_text(layout, context, f"{translated(error.message)} {translated(error.hint)}", "ERROR", translate=False)
    if error.where:
        draw_text(layout, context, error.where, translate=False)


@functools.lru_cache(maxsize=1024)  # panels are redrawn far more often than their texts change
def _wrap(text: str, width: float, points: float) -> tuple[str, ...]:
    blf.size(_FONT, points)
    lines = [""]
    for space, unit in _units(text):
        gap = " " if space else ""
        for piece in _pieces(unit, width):
            longer = f"{lines[-1]}{gap}{piece}" if lines[-1] else piece
            if lines[-1] and blf.dimensions(_FONT, longer)[0] > width:
                lines.append(piece)
            else:
                lines[-1] = longer
            gap = ""
    return tuple(lines)


def _units(text: str) -> Iterator[tuple[str, str]]:
    """Yield the parts between which a line may break, each with the white space before it."""
    return (found.groups() for found in _UNIT.finditer(text) if found[2])  # type: ignore[misc]


def _pieces(word: str, width: float) -> list[str]:
    """Cut a word that is wider than the panel, such as a path, into parts that fit."""
    pieces = []
    while blf.dimensions(_FONT, word)[0] > width and len(word) > 1:
        fits = next(n for n in range(len(word) - 1, 0, -1) if n == 1 or blf.dimensions(_FONT, word[:n])[0] <= width)
        pieces.append(word[:fits])
        word = word[fits:]
    return [*pieces, word]
