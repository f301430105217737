"""Copy diagnostics: the facts that a problem report needs."""

from __future__ import annotations

import platform
import tomllib

import bpy
import gpu

from ..checkpoints import OFFICIAL
from ..installer.install import installed
from ..installer.torch_build import Machine
from ..language import translated
from ..runtime import measured
from ..runtime.diagnostics import as_text, describe_error
from ..runtime.json_line_process import EXTENSION
from ..settings.preferences import data_folder, preferences
from ..tasks import job_run, setup_run
from .base import Result

_PATIENCE = 5.0  # seconds for the drivers to answer


class SPLATMATTE_OT_copy_diagnostics(bpy.types.Operator):
    """Copy versions, device and the last error, to be pasted into a report. Files and folders are not named"""

    bl_idname = "splat_matte.copy_diagnostics"
    bl_label = "Copy Diagnostics"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> Result:
        """Copy the facts to the clipboard."""
        context.window_manager.clipboard = as_text(facts())
        self.report({"INFO"}, translated("Copied: paste it into your report"))
        return {"FINISHED"}


def facts() -> dict[str, str]:
    """Return the known facts by name."""
    chosen = preferences()
    found = installed(setup_run.plan().runtimes)
    manifest = tomllib.loads((EXTENSION / "blender_manifest.toml").read_text(encoding="utf-8"))
    folder = data_folder() / "checkpoints"
    tested = measured.read(data_folder())
    here = [checkpoint.name for checkpoint in OFFICIAL.values() if (folder / checkpoint.file).exists()]
    run, task = job_run.latest(), setup_run.latest()
    return {
        "Splat Matte": manifest["version"],
        "Blender": f"{bpy.app.version_string}, Python {platform.python_version()}",
        "System": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "Display GPU": "" if bpy.app.background else gpu.platform.renderer_get(),
        "Drivers": _drivers(setup_run.machine(_PATIENCE)),
        "Engine": f"torch {found.torch} ({found.build}), Python {found.python}" if found else "not installed",
        "Up to date": "" if found is None else str(found.up_to_date),
        "Self-test": "" if tested is None else f"{tested.words} {tested.gpu_problem}".strip(),
        "Device": f"{chosen.device}, {chosen.threads} threads, {chosen.gpu_gigabytes:g} GB of GPU memory (0: no limit)",
        "Own Python": str(bool(chosen.engine_python)),
        "Checkpoints": ", ".join(here) or "only the embedded one",
        "Online access": str(bpy.app.online_access),
        "Last job": "none" if run is None else f"{run.verb}, {describe_error(run.error)}",
        "Last setup": "none" if task is None else f"{task.verb}, {describe_error(task.error)}",
    }


def _drivers(machine: Machine | None) -> str:
    if machine is None:
        return "unknown"
    words = [f"NVIDIA {'.'.join(map(str, machine.driver)) or '?'}"] if machine.nvidia else []
    words += [f"{card.name} ({'.'.join(map(str, card.capability)) or '?'})" for card in machine.gpus]
    return ", ".join([*words, *(f"AMD {chip}" for chip in machine.amd)]) or "none"
