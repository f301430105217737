"""Track: the settings of the model and of tracking."""

from __future__ import annotations

import bpy

from ...checkpoints import OFFICIAL
from ...clip.summary import shown_summary_of
from ...clip.to_job import checkpoint_of
from ...contract.errors import MatteError
from ...language import CONTEXT, translated
from ...runtime.watch import megabytes
from ...settings.clip_settings import ClipSettings
from ...settings.preferences import EXTENSION_PACKAGE
from ...tasks import setup_run
from ...viewer import previews
from ..preferences_panel import draw_outcome as draw_outcome_of_setup
from ..preferences_panel import draw_progress
from ..text import draw_error, draw_text
from .base import ClipPanel
from .job import draw_outcome, is_marked, missing_engine


class SPLATMATTE_PT_track(ClipPanel, bpy.types.Panel):
    """The settings of tracking."""

    bl_label = "Track"

    def draw_clip(self, context: bpy.types.Context, clip: bpy.types.MovieClip, settings: ClipSettings) -> None:
        """Draw model, direction, memory, range and the row Stepwise; messages, whose height varies, come last."""
        layout = self.layout
        layout.prop(settings, "checkpoint")
        if settings.checkpoint == "FILE":
            layout.prop(settings, "checkpoint_file")
            layout.prop(settings, "checkpoint_config")
            draw_text(
                layout, context, "If this file was not published by Meta, confirm once that you trust it.", "INFO"
            )
            layout.operator("splat_matte.trust_file", icon="CHECKMARK")
        layout.prop(settings, "direction")
        layout.prop(settings, "memory")
        layout.prop(settings, "second_opinion")
        layout.prop(settings, "use_range")
        if settings.use_range:
            row = layout.row(align=True)
            row.prop(settings, "scene_range_start", text="Frames", text_ctxt=CONTEXT)
            row.prop(settings, "scene_range_end", text="")
        missing = missing_engine()
        summary = shown_summary_of(clip)
        _draw_transport(layout, enabled=missing is None and is_marked(summary))
        if missing is not None:
            _draw_missing(layout, context, missing)
        _draw_download(layout, context, checkpoint_of(settings))
        if previews.error():
            draw_text(layout, context, previews.error(), "ERROR")
        draw_outcome(layout, context, "track", clip, summary)


def _draw_missing(layout: bpy.types.UILayout, context: bpy.types.Context, missing: MatteError) -> None:
    """Draw that there is no engine and how to set one up, or the progress of that."""
    task = setup_run.active()
    if task is not None and task.verb != "checkpoint":
        draw_text(layout, context, "The engine is being set up.", "TIME")
        draw_progress(layout, task)
    else:
        draw_error(layout, context, missing)
        _draw_set_up(layout, context)
    open_preferences = layout.operator(
        "preferences.addon_show", text="Open Preferences", text_ctxt=CONTEXT, icon="PREFERENCES"
    )
    open_preferences.module = EXTENSION_PACKAGE


def _draw_set_up(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw the button that installs the engine and downloads a checkpoint, the size of both, and the result."""
    task, plan, machine = setup_run.latest(), setup_run.plan(), setup_run.machine()
    if task is not None and task.verb == "install":
        draw_outcome_of_setup(layout, context, task)
    if machine is None or not setup_run.can_set_up():
        return
    try:
        build = plan.builds(machine).builds[0]
    except MatteError:
        return  # the preferences show the reason
    official = setup_run.recommended_checkpoint()
    size = build.download(machine.platform) + (0 if setup_run.has_checkpoint(official) else official.bytes)
    draw_text(layout, context, f"The engine and {official.label}: about {megabytes(size)} to download.", "IMPORT")
    layout.operator("splat_matte.set_up", icon="IMPORT")


def _draw_transport(layout: bpy.types.UILayout, enabled: bool) -> None:
    """Draw the row Stepwise, like Blender's own tracker, and the jumps."""
    row = layout.row(align=True)
    row.enabled = enabled
    row.label(text="Stepwise", text_ctxt=CONTEXT)
    for towards, icon in (
        ("PREVIOUS", "TRACKING_BACKWARDS_SINGLE"),
        ("START", "TRACKING_BACKWARDS"),
        ("END", "TRACKING_FORWARDS"),
        ("NEXT", "TRACKING_FORWARDS_SINGLE"),
    ):
        _transport(row, towards, icon)
    row.separator()
    for towards, icon in (("START", "TRACKING_REFINE_BACKWARDS"), ("END", "TRACKING_REFINE_FORWARDS")):
        _transport(row, towards, icon, again=True)
    row = layout.row(align=True)
    row.label(text="Marked Frame", text_ctxt=CONTEXT)
    for backwards, icon in ((True, "PREV_KEYFRAME"), (False, "NEXT_KEYFRAME")):
        jump = row.operator("splat_matte.jump", text="", icon=icon)  # type: ignore[arg-type]
        jump.kind, jump.backwards = "prompted", backwards
    row.menu("SPLATMATTE_MT_jump", text="", icon="DOWNARROW_HLT")


def _transport(layout: bpy.types.UILayout, towards: str, icon: str, again: bool = False) -> None:
    button = layout.operator("splat_matte.track", text="", icon=icon)  # type: ignore[arg-type]
    button.towards, button.again = towards, again


def _draw_download(layout: bpy.types.UILayout, context: bpy.types.Context, name: str) -> None:
    """Draw the download button of a published checkpoint that is not on this computer."""
    task = setup_run.latest()
    if task is not None and task.verb == "checkpoint" and task.active:
        draw_progress(layout, task)
        return
    if task is not None and task.model and not setup_run.has_checkpoint(OFFICIAL[task.model]):
        draw_outcome_of_setup(layout, context, task)
        name = task.model
    official = OFFICIAL.get(name)
    if official is not None and not setup_run.has_checkpoint(official):
        draw_text(layout, context, f"{official.label} is not on this computer yet.", "INFO")
        text = translated(f"Download {megabytes(official.bytes)}")
        layout.operator("splat_matte.download_checkpoint", text=text, text_ctxt=CONTEXT, icon="IMPORT").name = name
