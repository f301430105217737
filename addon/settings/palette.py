"""Colours: whether a track's colour means exclude, and the colours of objects. Standard library only.

Red tracks exclude; all others include.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

INCLUDE = (0.1, 0.8, 0.2)
EXCLUDE = (0.9, 0.1, 0.1)

# The colours of objects, in this order: Okabe and Ito's, which colour-blind people can tell apart (Color Universal
# Design, 2008).
PALETTE = (
    (0.34, 0.71, 0.91),
    (0.90, 0.62, 0.0),
    (0.0, 0.62, 0.45),
    (0.80, 0.47, 0.65),
    (0.94, 0.89, 0.26),
    (0.84, 0.37, 0.0),
    (0.0, 0.45, 0.70),
)


def colour_of(number: int) -> tuple[float, float, float]:
    """The colour, RGB 0..1, of the object, thing or part with this number, from 1."""
    return PALETTE[(number - 1) % len(PALETTE)]


_RED = 1 / 12  # largest distance in hue, as a share of a full turn, from red: up to orange and up to pink
_GREY = 0.25  # saturation below which a colour has no meaning


def excludes(colour: Sequence[float]) -> bool:
    """Whether an RGB colour, 0..1 per channel, counts as red."""
    hue, saturation, value = colorsys.rgb_to_hsv(*colour)
    return saturation >= _GREY and value > 0 and min(hue, 1 - hue) < _RED
