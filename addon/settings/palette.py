"""What colours say: a track's, whether it marks the subject (red excludes, anything else includes); an object's, which.

Standard library only.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

INCLUDE = (0.1, 0.8, 0.2)
EXCLUDE = (0.9, 0.1, 0.1)

# Of objects, one after the other. Okabe and Ito's colours, told apart by everybody (Color Universal Design, 2008).
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
    """Of what is numbered, from 1 on."""
    return PALETTE[(number - 1) % len(PALETTE)]


_RED = 1 / 12  # hue, of a turn: up to orange and up to pink
_GREY = 0.25  # saturation below which a colour says nothing


def excludes(colour: Sequence[float]) -> bool:
    """Whether an RGB colour, 0..1 each, reads as red."""
    hue, saturation, value = colorsys.rgb_to_hsv(*colour)
    return saturation >= _GREY and value > 0 and min(hue, 1 - hue) < _RED
