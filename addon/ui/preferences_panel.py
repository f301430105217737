"""Blender's preferences of this extension: the engine, checkpoints, settings."""

from __future__ import annotations

import os
import sys

import bpy

from ..checkpoints import OFFICIAL, Official
from ..contract.errors import Cancelled
from ..installer.install import Installed, installed
from ..installer.plan import InstallPlan
from ..language import CONTEXT, translated
from ..runtime import measured
from ..runtime.locate import PYTHON_VARIABLE, current_runtime
from ..runtime.watch import megabytes
from ..settings.preferences import EXTENSION_PACKAGE, Preferences, data_folder
from ..tasks import setup_run
from .text import draw_error, draw_text

_SETTINGS = ("checkpoint", "device", "gpu_choice", "threads", "gpu_gigabytes", "idle_minutes", "cache_gigabytes")
_WAYS = ("build", "base_python", "wheels", "engine_python")


class SPLATMATTE_AP_preferences(Preferences, bpy.types.AddonPreferences):
    """The extension in Blender's preferences."""

    bl_idname = EXTENSION_PACKAGE

    def draw(self, context: bpy.types.Context) -> None:
        """Draw engine, checkpoints and settings."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        _draw_engine(layout.box(), context, self)
        _draw_checkpoints(layout.box(), context)
        box = layout.box()
        box.label(text="Settings", text_ctxt=CONTEXT)
        tested = measured.read(data_folder())
        for name in settings_shown(sys.platform, bool(self.gpu) or (tested is not None and len(tested.gpus) > 1)):
            box.prop(self, name)
        layout.operator("splat_matte.copy_diagnostics", icon="COPYDOWN")


def settings_shown(platform: str, several_gpus: bool) -> list[str]:
    """Return the settings that apply to this computer: a Mac has one GPU, which shares the computer's memory."""
    absent = {"gpu_gigabytes"} if platform == "darwin" else set()
    return [name for name in _SETTINGS if name not in absent and (several_gpus or name != "gpu_choice")]


def _draw_engine(layout: bpy.types.UILayout, context: bpy.types.Context, chosen: Preferences) -> None:
    layout.label(text="Engine", text_ctxt=CONTEXT)
    own = chosen.engine_python or os.environ.get(PYTHON_VARIABLE, "")
    plan = setup_run.plan()
    found = installed(plan.runtimes)
    if own:
        place = "Engine Python" if chosen.engine_python else PYTHON_VARIABLE
        draw_text(layout, context, f"{place} is used: {own}", "INFO")
    elif found is not None:
        words = f"PyTorch {found.torch}, Python {found.python}, tried on {found.device}, in {plan.runtimes}"
        draw_text(layout, context, words, "CHECKMARK" if found.up_to_date else "INFO")
        if not setup_run.engine_runs():
            words = "Its Python does not start, because the Python that it was made from is gone. Press Repair."
            draw_text(layout, context, words, "ERROR")
        tested = measured.read(data_folder())
        if tested is not None and tested.gpu_problem:
            words = f"The GPU can't be used, so Automatic is the CPU: {tested.gpu_problem} Self-Test tries it again."
            draw_text(layout, context, words, "ERROR")
    task = setup_run.latest()
    if task is not None and task.active and task.verb != "checkpoint":
        draw_progress(layout, task)
        if task.with_checkpoint:
            official = setup_run.recommended_checkpoint()
            words = f"Then {official.label} is downloaded: {megabytes(official.bytes)}."
            draw_text(layout, context, words, "TIME")
        return
    if not own:
        _draw_plan(layout, context, plan, found)
    row = layout.row(align=True)
    row.use_property_split = False
    row.scale_y = 1.2
    if setup_run.can_set_up():
        row.operator("splat_matte.set_up", icon="IMPORT")
    row.operator("splat_matte.install_engine", text=_verb(plan, found), text_ctxt=CONTEXT, icon="IMPORT")
    if found is not None:
        row.operator("splat_matte.self_test", icon="PLAY")
        row.operator("splat_matte.remove_engine", text="Remove", text_ctxt=CONTEXT, icon="TRASH")
    row.operator("splat_matte.open_log", icon="TEXT")
    if task is not None and task.verb != "checkpoint":
        draw_outcome(layout, context, task)
    row = layout.row(align=True)
    row.prop(chosen, "folder")
    row.operator("splat_matte.move_data", text="", icon="FOLDER_REDIRECT")
    header, body = layout.panel("splat_matte_ways", default_closed=True)
    header.label(text="Other Ways to Install", text_ctxt=CONTEXT)
    if body is not None:
        for name in _WAYS:
            body.prop(chosen, name)


def _verb(plan: InstallPlan, found: Installed | None) -> str:
    if found is None:
        return "Repair" if current_runtime(plan.runtimes) is not None else "Install Engine"
    return "Repair" if found.up_to_date else "Update"


def _draw_plan(
    layout: bpy.types.UILayout, context: bpy.types.Context, plan: InstallPlan, found: Installed | None
) -> None:
    """Draw what the button would do; nothing if there is nothing to do."""
    if found is not None and found.up_to_date:
        return
    if found is not None:
        draw_text(layout, context, "This version of the extension comes with a newer engine.", "INFO")
    machine = setup_run.machine()
    if machine is None:
        draw_text(layout, context, "Looking at this computer ...", "TIME")
        return
    icon = "IMPORT"
    for line in plan.in_words(machine):
        draw_text(layout, context, line, icon)
        icon = "BLANK1"
    official = setup_run.recommended_checkpoint()
    if setup_run.can_set_up() and not setup_run.has_checkpoint(official):
        words = f"Set Up also downloads {official.label}, recommended for this computer: {megabytes(official.bytes)}."
        draw_text(layout, context, words)
    if plan.wheels is None:
        _draw_offline(layout, context, "or name a folder that has all files, under Other Ways to Install")


def _draw_offline(layout: bpy.types.UILayout, context: bpy.types.Context, otherwise: str) -> None:
    """Draw what to do if Blender is set to stay offline."""
    if not bpy.app.online_access:
        draw_text(layout, context, f"Blender's online access is off: allow it here, {otherwise}.", "ERROR")
        layout.prop(context.preferences.system, "use_online_access")


def _draw_checkpoints(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    layout.label(text="Checkpoints", text_ctxt=CONTEXT)
    draw_text(layout, context, "SAM 2 as published by Meta, Apache 2.0. Quality: J&F on SA-V test.")
    task = setup_run.latest()
    tested = measured.read(data_folder())
    speeds = tested.speeds if tested else {}
    recommended = setup_run.recommended_checkpoint()
    column = layout.column(align=True)
    column.use_property_split = False
    for official in OFFICIAL.values():
        _draw_checkpoint(column.row(align=True), official, official == recommended, speeds.get(official.name))
    if task is not None and task.verb == "checkpoint":
        if task.active:
            draw_progress(layout, task)
        else:
            draw_outcome(layout, context, task)
    if not bpy.app.online_access:
        _draw_offline(layout, context, f"or put the files into {data_folder() / 'checkpoints'}")


def _draw_checkpoint(row: bpy.types.UILayout, official: Official, is_recommended: bool, speed: float | None) -> None:
    split = row.split(factor=0.75, align=True)
    is_here = setup_run.has_checkpoint(official)
    size, quality = megabytes(official.bytes), official.quality
    words = f"{official.label}: {size}, J&F {quality}"
    if is_recommended:
        words += translated(", recommended")
    if speed:
        words += translated(f", {speed:g} frames/s here")
    split.label(text=words, translate=False, icon="CHECKMARK" if is_here else "BLANK1")
    if is_here:
        split.label(text="Ready", text_ctxt=CONTEXT)
    else:
        split.operator("splat_matte.download_checkpoint", icon="IMPORT").name = official.name


def draw_progress(layout: bpy.types.UILayout, task: setup_run.Task) -> None:
    """Draw a task's progress and the button that stops it."""
    row = layout.split(factor=0.7, align=True)  # leaves room for the words in a sidebar, too
    row.use_property_split = False
    row.progress(factor=task.fraction, text=translated("Stopping" if task.stopping else task.words), translate=False)
    row.operator("splat_matte.stop_setup", icon="CANCEL")


def draw_outcome(layout: bpy.types.UILayout, context: bpy.types.Context, task: setup_run.Task) -> None:
    """Draw the result of a task, and what to do if it failed."""
    if task.result is not None:
        draw_text(layout, context, task.result["words"], "CHECKMARK")
    elif isinstance(task.error, Cancelled):
        draw_text(layout, context, "Stopped. What was downloaded is kept.", "INFO")
    elif task.error is not None:
        draw_error(layout, context, task.error)
        if task.model:
            draw_text(layout, context, "The engine is set up. Only the checkpoint is missing: press Download.", "INFO")
        if task.asked:
            name = "splat_matte.set_up" if task.with_checkpoint else "splat_matte.install_engine"
            install = layout.operator(name, text="Install That", text_ctxt=CONTEXT, icon="IMPORT")
            install.agreed = task.asked
