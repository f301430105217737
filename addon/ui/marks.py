"""Draws marks in their objects' colours over the mattes, at a constant size: clear on their frame, faint on others.

Blender itself only draws the markers of the active object, and also on frames without a key.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import bpy
import gpu

from ..clip.footage import shown_frame
from ..clip.frame_status import Colour
from ..clip.summary import shown_summary_of
from ..contract.job_types import Prompt
from ..operators import mark_subject
from ..settings.clip_settings import settings_of
from ..settings.palette import EXCLUDE
from .overlay import Tint, colours, is_stabilised, shows_overlays
from .shapes import Place, draw_flat, draw_lines

_CORNERS = 24  # corners of a disc
_BLACK, _WHITE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
_RIM, _EDGE, _SMALL, _FILL = 9.0, 7.5, 6.5, 5.5  # radii, in pixels at a scale of 1
_BAR = (3.5, 1.2)  # half length and half width of the bars of plus and minus
_LINES = (4.0, 2.0)  # widths of a box's black and coloured lines
_FAINT = 0.5  # opacity of marks of other frames
_MOST = 200  # most marks of other frames; the nearest are drawn

_handle: Any = None


def _draw() -> None:
    context = bpy.context
    space = context.space_data
    if not isinstance(space, bpy.types.SpaceClipEditor) or space.clip is None or space.view != "CLIP":
        return
    if (box := mark_subject.dragged(context.area)) is not None:
        view: Any = context.region.view2d
        _draw_box([view.view_to_region(*corner, clip=False) for corner in box], _WHITE, 1.0)
    settings = settings_of(space.clip)
    if settings.overlay_show and settings.overlay_marks and shows_overlays(space) and not is_stabilised(space):
        _draw_marks(context, space.clip, shown_frame(space.clip, space, context.scene))


def _draw_marks(context: bpy.types.Context, clip: bpy.types.MovieClip, frame: int) -> None:
    """Draw the marks, those of other frames first."""
    coordinates = shown_summary_of(clip).coordinates
    if coordinates is None:
        return
    view: Any = context.region.view2d
    scale = context.preferences.system.ui_scale

    def on_screen(place: Place) -> Place:
        x, y = view.view_to_region(*coordinates.to_marker(frame, place), clip=False)
        return x, y

    triangles = _Triangles()
    for tint, prompt in _nearest(clip, frame):
        for point in prompt.points:
            triangles.add_point(on_screen((point.x, point.y)), tint, point.include, prompt.frame == frame, scale)
        if (box := prompt.box) is not None:
            corners = [on_screen(corner) for corner in ((box.x0, box.y0), (box.x1, box.y1))]
            _draw_box(corners, tint, 1.0 if prompt.frame == frame else _FAINT)
    triangles.draw()


def _nearest(clip: bpy.types.MovieClip, frame: int) -> list[tuple[Tint, Prompt]]:
    """Return marks of shown objects with their colours, the farthest first, so that the frame's own are on top."""
    settings, tints = settings_of(clip), colours(clip)
    marked = shown_summary_of(clip).marked
    shown = [(name, prompts) for name, prompts in marked.items() if name in tints and settings.shows(name)]
    found = [(tints[name], prompt) for name, prompts in shown for prompt in prompts]
    found.sort(key=lambda pair: abs(pair[1].frame - frame))
    here = sum(prompt.frame == frame for _, prompt in found)
    return found[: here + _MOST][::-1]


class _Triangles:
    """The triangles of all points, drawn in one batch."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self.shades: list[Colour] = []

    def add_point(self, at: Place, tint: Tint, include: bool, is_here: bool, scale: float) -> None:
        """Add a disc in the object's colour with a plus or minus; with a rim on its own frame, faint on others."""
        opacity = 1.0 if is_here else _FAINT
        if is_here:
            self._add_disc(at, _RIM * scale, (*_BLACK, 1.0))
            self._add_disc(at, _EDGE * scale, (*(_WHITE if include else EXCLUDE), 1.0))
        else:
            self._add_disc(at, _SMALL * scale, (*_BLACK, opacity))
        self._add_disc(at, _FILL * scale, (*tint, opacity))
        length, width = (side * scale for side in _BAR)
        self._add_bar(at, length, width, (*_BLACK, opacity))
        if include:
            self._add_bar(at, width, length, (*_BLACK, opacity))

    def draw(self) -> None:
        """Draw the batch, unless it is empty."""
        if self.places:
            gpu.state.blend_set("ALPHA")
            draw_flat("TRIS", self.places, self.shades)
            gpu.state.blend_set("NONE")

    def _add_disc(self, at: Place, radius: float, shade: Colour) -> None:
        x, y = at
        turns = [2 * math.pi * i / _CORNERS for i in range(_CORNERS + 1)]
        rim = [(x + radius * math.cos(turn), y + radius * math.sin(turn)) for turn in turns]
        for first, second in itertools.pairwise(rim):
            self.places += [(x, y), first, second]
            self.shades += [shade] * 3

    def _add_bar(self, at: Place, dx: float, dy: float, shade: Colour) -> None:
        (x, y) = at
        left, right, bottom, top = x - dx, x + dx, y - dy, y + dy
        self.places += [(left, bottom), (right, bottom), (right, top), (left, bottom), (right, top), (left, top)]
        self.shades += [shade] * 6


def _draw_box(corners: list[Place], tint: Tint, opacity: float) -> None:
    """Draw a box between two opposite corners in pixels of the region, its colour on black, visible on any plate."""
    (left, bottom), (right, top) = corners
    outline = [(left, bottom), (right, bottom), (right, top), (left, top), (left, bottom)]
    scale = bpy.context.preferences.system.ui_scale
    strokes = [((*shade, opacity), width * scale) for shade, width in zip((_BLACK, tint), _LINES, strict=True)]
    draw_lines([outline], strokes)


def register() -> None:
    """Start drawing, after the overlay."""
    global _handle
    _handle = bpy.types.SpaceClipEditor.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")


def unregister() -> None:
    """Stop drawing."""
    global _handle
    bpy.types.SpaceClipEditor.draw_handler_remove(_handle, "WINDOW")
    _handle = None
