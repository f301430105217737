"""`demo`: tracks and exports a clip of the repository through Blender's Python API, as an artist would."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from addon.checkpoints import OFFICIAL, checkpoints_folder
from addon.contract.errors import EngineError, ExitCode, FootageError, OutputError
from addon.installer.checkpoints import download_checkpoint
from addon.runtime.locate import PYTHON_VARIABLE
from addon.runtime.processes import last_line, quiet_environment, run_quietly

from .environments import ENGINE, ROOT, RUNTIME, python_of
from .package import newest_blender, package
from .say import SayWatch, say

CLIPS = ROOT / "demo" / "clips"


def demo(name: str, checkpoint: str) -> int:
    """Track and export the clip `name`, and print the result. Raises MatteError.

    Args:
        checkpoint: "embedded", or a name of OFFICIAL, which is downloaded if it is missing.
    """
    clip = _clip(name)
    if checkpoint in OFFICIAL:
        download_checkpoint(OFFICIAL[checkpoint], checkpoints_folder(), SayWatch())
    blender = newest_blender(ENGINE)
    extension = package(blender)
    work = RUNTIME / "demo" / clip.name
    plates = work / clip.name
    try:
        if work.exists():
            shutil.rmtree(work)
        shutil.copytree(clip / "rgb", plates)  # mattes are written beside the footage, and not into the repository
    except OSError as error:
        raise OutputError(f"The demo's folder can't be made: {error.strerror}.", where=str(work)) from None
    say(f"Tracking {clip.name} in Blender {blender.name.removeprefix('bpy-')}, without a window ...")
    blend = work / f"{clip.name}.blend"
    variables = {"BLENDER_USER_RESOURCES": str(work / "blender"), PYTHON_VARIABLE: str(python_of(ENGINE))}
    script = str(ROOT / "demo" / "track_in_blender.py")
    command = [
        str(python_of(blender)),
        script,
        str(extension),
        str(plates),
        str(clip / "clip.json"),
        str(blend),
        checkpoint,
    ]
    environment = quiet_environment() | variables
    code = subprocess.run(command, stdin=subprocess.DEVNULL, env=environment, check=False).returncode
    if code:
        raise EngineError("Blender could not track it; the reason is above.", where=clip.name)
    version = max((plates / f"{clip.name}_matte").glob("v[0-9][0-9][0-9]"))
    sheet = work / "contact_sheet.png"
    arguments = map(str, (version, plates, clip / "gt", sheet))
    result = run_quietly([str(python_of(ENGINE)), str(ROOT / "demo" / "contact_sheet.py"), *arguments])
    print(f"{last_line(result)}\ncontact sheet: {sheet}\nBlender file:  {blend}\nversion:       {version}")
    return ExitCode.OK


def _clip(name: str) -> Path:
    clips = {file.parent.name: file.parent for file in sorted(CLIPS.glob("*/clip.json"))}
    if name not in clips:
        known = ", ".join(clips)
        raise FootageError("There is no such clip.", where=f"demo/clips/{name}", hint=f"Known: {known or 'none'}.")
    return clips[name]
