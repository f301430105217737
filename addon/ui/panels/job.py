"""What panels with a verb share: its button, how far it is, how it went."""

from __future__ import annotations

import bpy

from ...clip.summary import Summary
from ...contract.errors import Cancelled, MatteError
from ...operators.job_operator import outcome
from ...runtime.locate import find_python
from ...settings.preferences import preferences
from ...tasks import job_run
from ..text import draw_error, draw_text

HEIGHT = 1.4  # of what is pressed most, in rows


def is_marked(summary: Summary) -> bool:
    """Whether there is anything to send."""
    return summary.prompts is not None and bool(summary.prompts.marks)


def missing_engine() -> MatteError | None:
    """Why the engine can't be started, if it can't."""
    chosen = preferences()
    try:
        find_python(bpy.path.abspath(chosen.engine_python), bpy.path.abspath(chosen.folder))
    except MatteError as error:
        return error
    return None


def draw_job(layout: bpy.types.UILayout, verb: job_run.Verb, clip: bpy.types.MovieClip, summary: Summary) -> None:
    """The verb's button; in the same place, while it runs or waits for this clip, how far it is."""
    row = layout.row(align=True)
    row.scale_y = HEIGHT
    if not draw_pending(row, verb, clip):
        row.enabled &= is_marked(summary)
        row.operator(f"splat_matte.{verb}", icon="TRACKING_FORWARDS" if verb == "track" else "EXPORT")


def draw_pending(row: bpy.types.UILayout, verb: job_run.Verb, clip: bpy.types.MovieClip) -> bool:
    """How far what runs or waits of a verb is, in the place of its buttons; False: nothing does.

    The row's buttons can be pressed then, if there is an engine.
    """
    if (run := job_run.pending_of(verb, clip)) is not None:
        draw_run(row, run)
        return True
    row.enabled = missing_engine() is None
    return False


def draw_run(row: bpy.types.UILayout, run: job_run.Run) -> None:
    """How far it is, or that it waits, and the button that stops it."""
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
    """Why the verb's button can't be pressed; how it went. Below all buttons, as it is of any height."""
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
    """How it went; nothing if it was stopped."""
    run = _ended(verb, clip)
    if run is None:
        return
    if run.error is None:
        draw_text(layout, context, outcome(run), "CHECKMARK", translate=False)
    elif not isinstance(run.error, Cancelled):
        draw_error(layout, context, run.error)


def _ended(verb: job_run.Verb, clip: bpy.types.MovieClip) -> job_run.Run | None:
    """The clip's last run, if it was of that verb and has ended."""
    run = job_run.latest(clip.name)
    return run if run is not None and not run.active and run.verb == verb else None
