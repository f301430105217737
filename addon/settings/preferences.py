"""The user's settings in Blender's preferences, which concern the computer and not a clip."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import bpy

from ..contract.disk import patiently
from ..contract.job_types import Device
from ..installer.torch_build import CHOICES
from ..language.properties import EnumProperty, FloatProperty, IntProperty, StringProperty
from ..runtime import measured
from ..runtime.locate import PYTHON_VARIABLE
from ..runtime.user_folder import user_folder
from .clip_settings import PUBLISHED_CHECKPOINTS

EXTENSION_PACKAGE = (__package__ or "").removesuffix(".addon.settings")


_ANY = "auto"
_items: list[tuple[str, str, str, str, int]] = []  # Blender keeps no reference of its own


def _gpu_items(chosen: Preferences, context: bpy.types.Context | None) -> list[tuple[str, str, str, str, int]]:
    """The items of the menu of GPUs: all GPUs that the last self-test found, and the chosen one."""
    found = measured.read(data_folder())
    names = {gpu.uuid: gpu.name for gpu in found.gpus} if found else {}
    if chosen.gpu and chosen.gpu not in names:
        names[chosen.gpu] = "One that is not there"
    words = [(_ANY, "Automatic", "The fastest"), *((uuid, name, uuid) for uuid, name in names.items())]
    _items[:] = [(*row, "NONE", number) for number, row in enumerate(words)]
    return _items


def _chosen_gpu(chosen: Preferences) -> int:
    return next(item[4] for item in _gpu_items(chosen, None) if item[0] == (chosen.gpu or _ANY))


def _choose_gpu(chosen: Preferences, number: int) -> None:
    uuid = _gpu_items(chosen, None)[number][0]
    chosen.gpu = "" if uuid == _ANY else uuid


class Preferences:
    """The properties of the extension's AddonPreferences, which ui/preferences_panel.py registers and draws."""

    engine_python: StringProperty(
        name="Engine Python",
        description="A Python of your own with torch and sam2. Empty: SPLAT_MATTE_PYTHON, or what is installed",
        subtype="FILE_PATH",
    )
    folder: StringProperty(
        name="Data Folder",
        description="Where engine and checkpoints are, gigabytes, for all Blenders. Empty: where this system keeps "
        "data of programs",
        subtype="DIR_PATH",
    )
    build: EnumProperty(
        name="PyTorch Build",
        description="Which PyTorch is installed",
        items=[
            ("auto", "Automatic", "As the drivers of this computer allow"),
            *((build.name, build.words[0].upper() + build.words[1:], "Always this one") for build in CHOICES.values()),
        ],
    )
    base_python: StringProperty(
        name="Made From",
        description="The Python that the engine's own is made from, 3.11 to 3.14. Empty: Blender's",
        subtype="FILE_PATH",
    )
    wheels: StringProperty(
        name="Folder of Wheels",
        description="Install from the files in this folder, without a network. Empty: download them",
        subtype="DIR_PATH",
    )
    checkpoint: EnumProperty(
        name="Model",
        description="The SAM 2 weights for all clips that do not name others",
        items=PUBLISHED_CHECKPOINTS,
    )
    device: EnumProperty(
        name="Device",
        description="Device that the model runs on",
        items=[
            ("auto", "Automatic", "The GPU where there is one that can, else the CPU"),
            ("cuda", "CUDA", "An NVIDIA GPU"),
            ("mps", "Metal", "The GPU of a Mac"),
            ("cpu", "CPU", "Slow, but always there"),
        ],
    )
    gpu: StringProperty(
        name="Chosen GPU", description="The uuid of the only one that the engine sees. Empty: all", options={"HIDDEN"}
    )
    gpu_choice: EnumProperty(
        name="GPU",
        description="Which one, where there are several of NVIDIA's",
        items=_gpu_items,
        get=_chosen_gpu,
        set=_choose_gpu,
    )
    threads: IntProperty(
        name="CPU Threads",
        description="Number of processor threads that the engine uses. 0: chosen automatically",
        default=0,
        min=0,
        max=256,
    )
    gpu_gigabytes: FloatProperty(
        name="GPU Memory (GB)",
        description="The most that the engine takes, for instance to leave some for rendering. 0: what it needs",
        default=0.0,
        min=0.0,
        max=1000.0,
        precision=1,
    )
    idle_minutes: FloatProperty(
        name="Free Memory After (min)",
        description="Without work for so long, the engine gives the model's memory back, to Cycles for instance. The "
        "next click then waits until the model is loaded again. 0: never",
        default=5.0,
        min=0.0,
        max=1440.0,
        precision=1,
    )
    cache_gigabytes: FloatProperty(
        name="Cache (GB)",
        description="Disk space beside the mattes of each clip for image features, so that a correction is tracked "
        "sooner. 0: none",
        default=4.0,
        min=0.0,
        max=1000.0,
        precision=1,
    )
    farm: EnumProperty(
        name="Send To",
        description="The program of your farm",
        items=[
            ("openjd", "OpenJD", "Open Job Description: AWS Deadline Cloud, and whatever else reads it"),
            ("flamenco", "Flamenco", "Flamenco 3"),
            ("slurm", "Slurm", "Arrays of jobs, sent with sbatch"),
        ],
    )
    farm_manager: StringProperty(
        name="Manager",
        description="The address of Flamenco's manager, such as http://manager:8080. Empty: nothing is sent, and the "
        "command that sends it goes to the clipboard",
    )
    farm_device: EnumProperty(
        name="Workers Use",
        description="Device that the model runs on, the same on all workers: mattes from other devices differ in "
        "their last bits",
        items=[("cuda", "CUDA", "An NVIDIA GPU"), ("cpu", "CPU", "Slow, but always there")],
    )
    farm_runtime: StringProperty(
        name="Their Engine",
        description="The folder that vendor_setup runtime has made, where all workers see it. Empty: this computer's",
        subtype="DIR_PATH",
    )
    farm_code: StringProperty(
        name="Their Extension",
        description="The folder of this extension where all workers see it. Empty: this computer's",
        subtype="DIR_PATH",
    )
    farm_folder: StringProperty(
        name="Bundles",
        description="Where what is sent is written, a folder for each time; all workers must see it. Empty: beside the "
        "mattes",
        subtype="DIR_PATH",
    )
    trusted: StringProperty(
        name="Trusted Files",
        description="sha256 of checkpoints and configs that were said yes to, none of the published ones",
        options={"HIDDEN"},
    )


def data_folder() -> Path:
    """The folder of the runtime and the checkpoints."""
    chosen = preferences().folder
    return Path(bpy.path.abspath(chosen)) if chosen else user_folder()


def device() -> Device:
    """The device for the model. If a GPU failed the last self-test, "auto" means the CPU."""
    chosen: Device = preferences().device
    if chosen != "auto" or preferences().engine_python or os.environ.get(PYTHON_VARIABLE):
        return chosen
    found = measured.read(data_folder())
    return "cpu" if found and found.gpu_problem else "auto"


def preferences() -> Preferences:
    """The preferences of this extension."""
    return bpy.context.preferences.addons[EXTENSION_PACKAGE].preferences  # type: ignore[return-value]


def keep() -> None:
    """Write the preferences to a file, as Blender forgets them when the extension is disabled."""
    chosen = preferences()
    values = {name: getattr(chosen, name) for name in Preferences.__annotations__ if chosen.is_property_set(name)}  # type: ignore[attr-defined]
    with contextlib.suppress(OSError):
        _kept_file().write_text(json.dumps(values), encoding="utf-8")


def take_up() -> None:
    """Restore the preferences that `keep` wrote earlier in this session, once."""
    file = _kept_file()
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        patiently(file.unlink)
    except (OSError, ValueError):
        return
    for name in Preferences.__annotations__:
        if name in values:
            setattr(preferences(), name, values[name])


def _kept_file() -> Path:
    """The file for `keep`, in the folder that Blender deletes at the end of the session."""
    return Path(bpy.app.tempdir) / "splat_matte_preferences.json"
