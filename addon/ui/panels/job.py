"""Shared by panels with a verb: its button, its progress, its result."""

from __future__ import annotations

import bpy

from ...clip.summary import Summary
from ...contract.errors import Cancelled, MatteError
from ...operators.job_operator import outcome
from ...runtime.locate import find_python
from ...settings.preferences import preferences
from ...tasks import job_run
from ..text import draw_error, draw_text

HEIGHT = 1.4  # of the most frequent buttons, in rows


def is_marked(summary: Summary) -> bool:
    """Whether there is anything to send."""
    return summary.prompts is not None and bool(summary.prompts.marks)


def missing_engine() -> MatteError | None:
    """Return why the engine can't be started; None if it can."""
    chosen = preferences()
    try:
        find_python(bpy.path.abspath(chosen.engine_python), bpy.path.abspath(chosen.folder))
    except MatteError as error:
        return error
    return None


def draw_job(layout: bpy.types.UILayout, verb: job_run.Verb, clip: bpy.types.MovieClip, summary: Summary) -> None:
    """Draw the verb's button, or its progress while it runs or waits for this clip."""
    row = layout.row(align=True)
    row.scale_y = HEIGHT
    if not draw_pending(row, verb, clip):
        row.enabled &= is_marked(summary)
        row.operator(f"splat_matte.{verb}", icon="TRACKING_FORWARDS" if verb == "track" else "EXPORT")


def draw_pending(row: bpy.types.UILayout, verb: job_run.Verb, clip: bpy.types.MovieClip) -> bool:
    """Draw the progress of a running or waiting verb in place of its buttons; return False if there is none.

    Then the caller draws the buttons, which are enabled if there is an engine.
    """
    if (run := job_run.pending_of(verb, clip)) is not None:
        draw_run(row, run)
        return True
    row.enabled = missing_engine() is None
    return False


def draw_run(row: bpy.types.UILayout, run: job_run.Run) -> None:
    """Draw the progress, or that the Job waits, and the button that stops it."""
    row.progress(factor=run.fraction, text=run.in_words(with_frame=False), translate=False)
    if run.waits:
        remove = row.operator("splat_matte.change_queue", text="", icon="X")
        remove.number, remove.change = run.number, "REMOVE"
    else:
        row.operator("splat_matte.cancel", text="", icon="CANCEL")


def draw_outcome(
    layout: bpy.types.UILayout,
    context: bpy.types.Context,
    verb: job_run.Verb,
    clip: bpy.types.MovieClip,
    summary: Summary,
) -> None:
    """Draw why the verb's button is disabled, or the result. Below all buttons, as its height varies."""
    if summary.error is not None:
        draw_text(layout, context, summary.error.message, "ERROR")
    elif not is_marked(summary):
        draw_text(layout, context, "Mark the subject first: see Subject.", "INFO")
    run = _ended(verb, clip)
    if run is None:
        return
    if run.error is None:
        draw_text(layout, context, outcome(run), "CHECKMARK", translate=False)
        for warning in run.warnings:
            draw_text(layout, context, warning, "ERROR")
        if run.result is not None and "folder" in run.result:
            layout.operator("splat_matte.open_folder", icon="FILE_FOLDER")
    elif isinstance(run.error, Cancelled):
        draw_text(layout, context, "Stopped. What was tracked is kept: start again to go on.", "INFO")
    else:
        draw_error(layout, context, run.error)


def draw_end(
    layout: bpy.types.UILayout, context: bpy.types.Context, verb: job_run.Verb, clip: bpy.types.MovieClip
) -> None:
    """Draw the result of the clip's last run of the verb; nothing if it was stopped."""
    run = _ended(verb, clip)
    if run is None:
        return
    if run.error is None:
        draw_text(layout, context, outcome(run), "CHECKMARK", translate=False)
    elif not isinstance(run.error, Cancelled):
        draw_error(layout, context, run.error)


def _ended(verb: job_run.Verb, clip: bpy.types.MovieClip) -> job_run.Run | None:
    """Return the clip's last run, if it was of that verb and has ended."""
    run = job_run.latest(clip.name)
    return run if run is not None and not run.active and run.verb == verb else None
