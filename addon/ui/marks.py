"""The marks of the frame that is shown, in their objects' colours, over the mattes: readable at any size of plate.

Blender draws its own markers of the active object only, and on frames without a key too.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import bpy
import gpu
from gpu_extras.batch import batch_for_shader

from ..clip.footage import shown_frame
from ..clip.marks import Corners
from ..clip.summary import shown_summary_of
from ..operators import mark_subject
from ..settings.clip_settings import settings_of
from ..settings.palette import EXCLUDE
from .overlay import colours, is_stabilised

_CORNERS = 24  # of a disc
_BLACK, _WHITE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
_RIM, _EDGE, _FILL = 9.0, 7.5, 5.5  # radii, in pixels at a scale of 1
_BAR = (3.5, 1.2)  # half width and half height of the minus of what excludes

_Colour = tuple[float, float, float, float]
_handle: Any = None


def _draw() -> None:
    context = bpy.context
    space = context.space_data
    if not isinstance(space, bpy.types.SpaceClipEditor) or space.clip is None or space.view != "CLIP":
        return
    clip = space.clip
    if (box := mark_subject.dragged(context.area)) is not None:
        _draw_drag(context, box)
    settings = settings_of(clip)
    if not settings.overlay_show or is_stabilised(space):
        return
    summary = shown_summary_of(clip)
    if summary.coordinates is None:
        return
    frame = shown_frame(clip, space, context.scene)
    view, scale = context.region.view2d, context.preferences.system.ui_scale
    tints = colours(clip)
    places: list[tuple[float, float]] = []
    shades: list[_Colour] = []
    for name, prompts in summary.marked.items():
        if name not in tints or not settings.shows(name):
            continue
        for point in (point for prompt in prompts if prompt.frame == frame for point in prompt.points):
            u, v = summary.coordinates.to_marker(frame, (point.x, point.y))
            at: Any = view.view_to_region(u, v, clip=False)
            rim = _WHITE if point.include else EXCLUDE
            for radius, tint in ((_RIM, _BLACK), (_EDGE, rim), (_FILL, tints[name])):
                _add_disc(places, shades, at, radius * scale, (*tint, 1.0))
            if not point.include:
                _add_bar(places, shades, at, scale)
    if places:
        shader = gpu.shader.from_builtin("FLAT_COLOR")
        gpu.state.blend_set("ALPHA")
        batch_for_shader(shader, "TRIS", {"pos": places, "color": shades}).draw(shader)
        gpu.state.blend_set("NONE")


def _draw_drag(context: bpy.types.Context, box: Corners) -> None:
    """The box that is being drawn: white on black, seen on any plate."""
    view: Any = context.region.view2d
    (left, bottom), (right, top) = (view.view_to_region(*corner, clip=False) for corner in box)
    outline = [(left, bottom, 0.0), (right, bottom, 0.0), (right, top, 0.0), (left, top, 0.0), (left, bottom, 0.0)]
    shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
    batch = batch_for_shader(shader, "LINE_STRIP", {"pos": outline})
    shader.bind()
    shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
    for shade, width in ((_BLACK, 4.0), (_WHITE, 2.0)):
        shader.uniform_float("color", (*shade, 1.0))
        shader.uniform_float("lineWidth", width * context.preferences.system.ui_scale)
        batch.draw(shader)


def _add_disc(
    places: list[tuple[float, float]], shades: list[_Colour], at: tuple[float, float], radius: float, shade: _Colour
) -> None:
    x, y = at
    turns = [2 * math.pi * i / _CORNERS for i in range(_CORNERS + 1)]
    rim = [(x + radius * math.cos(turn), y + radius * math.sin(turn)) for turn in turns]
    for first, second in itertools.pairwise(rim):
        places += [(x, y), first, second]
        shades += [shade] * 3


def _add_bar(places: list[tuple[float, float]], shades: list[_Colour], at: tuple[float, float], scale: float) -> None:
    (x, y), (dx, dy) = at, (side * scale for side in _BAR)
    left, right, bottom, top = x - dx, x + dx, y - dy, y + dy
    places += [(left, bottom), (right, bottom), (right, top), (left, bottom), (right, top), (left, top)]
    shades += [(*_BLACK, 1.0)] * 6


def register() -> None:
    """Start drawing, after the overlay."""
    global _handle
    _handle = bpy.types.SpaceClipEditor.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")


def unregister() -> None:
    """Stop drawing."""
    global _handle
    bpy.types.SpaceClipEditor.draw_handler_remove(_handle, "WINDOW")
    _handle = None
