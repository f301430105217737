"""Shapes over the clip in pixels of the region: flat ones, and lines of a given width."""

from __future__ import annotations

from collections.abc import Sequence

import gpu
from gpu_extras.batch import batch_for_shader

from ..clip.frame_status import Colour

Place = tuple[float, float]


def draw_flat(kind: str, positions: Sequence[Place], colours: Sequence[Colour]) -> None:
    """Draw points of a kind of Blender's (`TRIS`, `LINES`), each in its colour. The caller sets the blending."""
    shader = gpu.shader.from_builtin("FLAT_COLOR")
    batch_for_shader(shader, kind, {"pos": positions, "color": colours}).draw(shader)  # type: ignore[arg-type]


def draw_lines(lines: Sequence[Sequence[Place]], strokes: Sequence[tuple[Colour, float]]) -> None:
    """Draw lines once per stroke, the first at the bottom; a stroke has a colour and a width in pixels."""
    shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
    batches = [batch_for_shader(shader, "LINE_STRIP", {"pos": [(*at, 0.0) for at in line]}) for line in lines]
    gpu.state.blend_set("ALPHA")
    shader.bind()
    shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
    for colour, width in strokes:
        shader.uniform_float("color", colour)
        shader.uniform_float("lineWidth", width)
        for batch in batches:
            batch.draw(shader)
    gpu.state.blend_set("NONE")
