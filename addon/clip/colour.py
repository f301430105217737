"""A track's colour says whether it marks the subject: red excludes, anything else includes. Standard library only."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

INCLUDE = (0.1, 0.8, 0.2)
EXCLUDE = (0.9, 0.1, 0.1)

_RED = 1 / 12  # hue, of a turn: up to orange and up to pink
_GREY = 0.25  # saturation below which a colour says nothing


def excludes(colour: Sequence[float]) -> bool:
    """Whether an RGB colour, 0..1 each, reads as red."""
    hue, saturation, value = colorsys.rgb_to_hsv(*colour)
    return saturation >= _GREY and value > 0 and min(hue, 1 - hue) < _RED
