"""Helpers that the operators share."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import bpy

from ..clip.footage import active_clip
from ..contract.errors import MatteError
from ..language import translated, translated_error

# Blender also finds an operator's methods in mix-ins, if these are plain classes.
if TYPE_CHECKING:
    OperatorMixin = bpy.types.Operator
else:
    OperatorMixin = object

_INTERVAL = 0.1  # seconds between two calls of `modal` by a timer

Hints = Callable[[bpy.types.Header, bpy.types.Context], None]  # draws hints in the status bar
Result = set[Literal["RUNNING_MODAL", "CANCELLED", "FINISHED", "PASS_THROUGH", "INTERFACE"]]


def fail(operator: bpy.types.Operator, error: MatteError) -> Result:
    """Report an error to the artist and to the log."""
    logging.getLogger(type(operator).__module__).error("%s", error)
    operator.report({"ERROR"}, translated_error(error))
    return {"CANCELLED"}


def has_clip(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Require a clip; for `poll`, with a message that says what to do."""
    if active_clip(context) is None:
        operator.poll_message_set(translated("Open footage first"))
        return False
    return True


def in_clip_editor(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Require a clip in a clip editor; for `poll`, with a message that says what to do."""
    space = context.space_data
    if not isinstance(space, bpy.types.SpaceClipEditor) or space.clip is None:
        operator.poll_message_set(translated("Open footage first"))
        return False
    return True


def is_open(area: bpy.types.Area) -> bool:
    """Whether an area is on a visible screen. Properties of a closed area must not be read."""
    return any(area == shown for window in bpy.context.window_manager.windows for shown in window.screen.areas)


_words: str | None = None
_hints: Hints | None = None


def say_status(context: bpy.types.Context, words: str | None) -> None:
    """Show words in the status bar; None returns it to Blender. Hints of an active tool have precedence."""
    global _words
    _words = words
    _show_status(context)


def give_hints(context: bpy.types.Context, hints: Hints | None) -> None:
    """Show a tool's hints in the status bar while it is active; None: restore the words from before."""
    global _hints
    _hints = hints
    _show_status(context)


def forget_status() -> None:
    """Clear the status, because another file was loaded."""
    global _words, _hints
    _words = _hints = None
    for workspace in bpy.data.workspaces:
        workspace.status_text_set(None)


def hints_given() -> bool:
    """Whether a tool is active, so that Esc ends the tool and not a Job."""
    return _hints is not None


def _show_status(context: bpy.types.Context) -> None:
    """Update the status bar; there is no workspace while another file is loaded."""
    if context.workspace is not None:
        context.workspace.status_text_set(_hints or (translated(_words) if _words else None))


def window_region(area: bpy.types.Area) -> bpy.types.Region:
    """Return the region that shows the clip."""
    return next(region for region in area.regions if region.type == "WINDOW")


def over_clip(area: bpy.types.Area, event: bpy.types.Event) -> bool:
    """Whether the mouse is over the clip and not over a sidebar or header, which may overlap it."""
    return _holds(window_region(area), event) and not any(
        _holds(region, event) for region in area.regions if region.type != "WINDOW"
    )


def _holds(region: bpy.types.Region, event: bpy.types.Event) -> bool:
    x, y = event.mouse_x - region.x, event.mouse_y - region.y
    return 0 <= x < region.width and 0 <= y < region.height


def start_watching(operator: bpy.types.Operator, context: bpy.types.Context) -> bpy.types.Timer:
    """Call the operator's `modal` from now on, at each event of its window and ten times per second.

    Returns the timer, which the operator removes at its end.
    """
    timer = context.window_manager.event_timer_add(_INTERVAL, window=context.window)
    context.window_manager.modal_handler_add(operator)
    return timer
