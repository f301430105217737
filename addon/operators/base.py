"""Types that the operators share."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

import bpy

from ..contract.errors import MatteError
from ..language import translated, translated_error

# Blender takes an operator's methods from mix-ins too, as long as these are plain classes.
if TYPE_CHECKING:
    OperatorMixin = bpy.types.Operator
else:
    OperatorMixin = object

_INTERVAL = 0.1  # seconds between two calls of `modal` by a timer

Result = set[Literal["RUNNING_MODAL", "CANCELLED", "FINISHED", "PASS_THROUGH", "INTERFACE"]]


def fail(operator: bpy.types.Operator, error: MatteError) -> Result:
    """Say what went wrong, to the artist and in the log."""
    logging.getLogger(type(operator).__module__).error("%s", error)
    operator.report({"ERROR"}, translated_error(error))
    return {"CANCELLED"}


def in_clip_editor(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """For `poll`: a clip in a clip editor; says what to do where there is none."""
    space = context.space_data
    if not isinstance(space, bpy.types.SpaceClipEditor) or space.clip is None:
        operator.poll_message_set(translated("Open footage first"))
        return False
    return True


def is_open(area: bpy.types.Area) -> bool:
    """Whether an area is on a screen that is shown: a closed one must not even be asked."""
    return any(area == shown for window in bpy.context.window_manager.windows for shown in window.screen.areas)


def say_status(context: bpy.types.Context, words: str | None) -> None:
    """In the status bar; None gives it back to Blender. While another file is loaded there is none."""
    if context.workspace is not None:
        context.workspace.status_text_set(translated(words) if words else None)


def start_watching(operator: bpy.types.Operator, context: bpy.types.Context) -> bpy.types.Timer:
    """Call the operator's `modal` from now on: at each event of its window, and ten times a second.

    Returns the timer, which the operator removes at its end.
    """
    timer = context.window_manager.event_timer_add(_INTERVAL, window=context.window)
    context.window_manager.modal_handler_add(operator)
    return timer
