"""Finding the engine's Python, and the environment that it is started with. Standard library only."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from ..contract.errors import EngineError
from .user_folder import user_folder

PYTHON_VARIABLE = "SPLAT_MATTE_PYTHON"
FOLDER_VARIABLE = "SPLAT_MATTE_FOLDER"
GPU_VARIABLE = "SPLAT_MATTE_GPU_GB"
GPU_CHOICE = "SPLAT_MATTE_GPU"
IDLE_VARIABLE = "SPLAT_MATTE_IDLE_MINUTES"
CURRENT = "current.txt"
NO_BASE = 103  # exit code of a virtual environment's launcher on Windows when its base Python was removed

# Variables that Blender, a farm or a shell may have set for another Python than the engine's.
_FOREIGN = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONSAFEPATH", "PYTHONWARNINGS", "VIRTUAL_ENV")


def find_python(
    preference: str = "",
    folder: str = "",
    *,
    platform: str = sys.platform,
    environ: Mapping[str, str] = os.environ,
    home: Path | None = None,
) -> Path:
    """The Python that runs the engine: from the preferences, else from SPLAT_MATTE_PYTHON, else the installed runtime.

    Args:
        preference: *Engine Python* in the extension's preferences; empty: not set.
        folder: the folder of runtime and checkpoints; empty: `user_folder`.

    Raises:
        EngineError: the Python does not exist or can't start.
    """
    for chosen, place in ((preference, "Preferences, Engine Python"), (environ.get(PYTHON_VARIABLE), PYTHON_VARIABLE)):
        if chosen:
            if not Path(chosen).is_file():
                raise EngineError("There is no such file.", where=f"{place}: {chosen}", hint="Name a Python.")
            return Path(chosen)
    base = Path(folder) if folder else user_folder(platform, environ, home)
    current = current_runtime(base / "runtime")
    if current is None:
        raise EngineError(
            "The engine is not set up on this computer.",
            where=str(base / "runtime"),
            hint="Press Set Up in the preferences of this extension.",
        )
    python = runtime_python(current, platform)
    if not can_start(python, platform):
        raise EngineError(
            "The engine's Python is gone: the Blender or Python that it was made from was removed.",
            where=str(python),
            hint="Press Repair in the preferences of this extension.",
        )
    return python


def current_runtime(runtimes: Path) -> Path | None:
    """The virtual environment in use, a folder in `runtimes`; None if the engine has never been installed.

    Each installation has a numbered folder, and `current.txt` names the one in use. So a new installation replaces the
    old one by renaming one file, even while an engine has the old libraries open.
    """
    try:
        number = (runtimes / CURRENT).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return runtimes / number if number.isdecimal() else None


def runtime_python(runtime: Path, platform: str = sys.platform) -> Path:
    """The interpreter of the virtual environment `runtime`."""
    return runtime / "Scripts" / "python.exe" if platform == "win32" else runtime / "bin" / "python"


def can_start(python: Path, platform: str = sys.platform) -> bool:
    """Whether `python` exists and, if it belongs to a virtual environment, its base Python too.

    On Windows the Python of a virtual environment is a launcher, which stays when a new Blender replaces the one that
    contains its base Python. On other systems it is a link.
    """
    if not python.is_file():
        return False
    try:
        settings = (python.parent.parent / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True  # no virtual environment
    pairs = (line.partition("=") for line in settings.splitlines())
    home = next((value.strip() for name, _, value in pairs if name.strip().lower() == "home"), "")
    return not home or platform != "win32" or (Path(home) / "python.exe").is_file()


def engine_environment(
    extension: Path,
    folder: str = "",
    threads: int = 0,
    environ: Mapping[str, str] = os.environ,
    *,
    gpu: str = "",
    gpu_gigabytes: float = 0.0,
    idle_minutes: float = 0.0,
) -> dict[str, str]:
    """The environment variables of the engine process.

    Args:
        extension: the folder that contains `addon`.
        folder: the folder of runtime and checkpoints; empty: `user_folder`.
        threads: number of CPU threads; 0: torch's default.
        environ: the environment to start from.
        gpu: the only NVIDIA GPU that the engine may use (measured.Gpu.uuid); empty: all of them.
        gpu_gigabytes: limit of the GPU memory that is used; 0: no limit.
        idle_minutes: minutes without a request after which the engine frees the model's memory; 0: never.
    """
    result = {name: value for name, value in environ.items() if name not in _FOREIGN}
    result |= {"PYTHONPATH": str(extension), "PYTHONNOUSERSITE": "1", "PYTHONUTF8": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    if folder:
        result[FOLDER_VARIABLE] = folder
    if gpu:  # CUDA C++ Programming Guide, "CUDA Environment Variables"
        result |= {GPU_CHOICE: gpu, "CUDA_VISIBLE_DEVICES": gpu}
    if gpu_gigabytes:
        result[GPU_VARIABLE] = str(gpu_gigabytes)
    if idle_minutes:
        result[IDLE_VARIABLE] = str(idle_minutes)
    if threads:
        result |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    return result
