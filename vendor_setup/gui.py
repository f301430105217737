"""`test gui`: the story of tests/gui told in a real Blender window, where there is one.

    BLENDER=/path/to/blender python3 vendor_setup test gui

Needs a Blender, a display (or xvfb-run, which makes one), xdotool and ImageMagick's `import`. Without them nothing is
tested, which is said loudly and is no failure: exit code NOT_RUN. Pictures of each state go to dist/gui.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from addon.runtime.processes import quiet_environment

from .environments import ROOT
from .say import say

NOT_RUN = 77  # as automake counts it: neither passed nor failed

_STORY = ROOT / "tests" / "gui" / "story.py"
_FOOTAGE = ROOT / "demo" / "clips" / "toy" / "rgb"
_PICTURES = ROOT / "dist" / "gui"
_SIZE = (1600, 1000)
_MINUTES = 15


def missing(
    platform: str, environment: Mapping[str, str], which: Callable[[str], str | None] = shutil.which
) -> list[str]:
    """What a story can't be told without, in words; empty if all is there."""
    if platform != "linux":
        return ["an X display: clicks are made with xdotool"]
    lacking = []
    blender = shlex.split(environment.get("BLENDER", ""))
    if not blender:
        lacking.append("BLENDER, which names the Blender to test in")
    elif which(blender[0]) is None:
        lacking.append(f"the Blender that BLENDER names, {blender[0]}")
    if not environment.get("DISPLAY") and which("xvfb-run") is None:
        lacking.append("a display (DISPLAY, or xvfb-run)")
    lacking += [f"{tool} ({package})" for tool, package in _TOOLS.items() if which(tool) is None]
    return lacking


_TOOLS = {"xdotool": "package xdotool", "import": "package imagemagick"}


def main() -> int:
    """Tell the story; the exit code of Blender, or NOT_RUN."""
    lacking = missing(sys.platform, os.environ)
    if lacking:
        say(f"NOT RUN: the GUI test needs {'; '.join(lacking)}.")
        return NOT_RUN
    blender = shlex.split(os.environ["BLENDER"])
    with tempfile.TemporaryDirectory(prefix="splat-matte-gui-") as folder:
        room = Path(folder)
        package = room / "splat_matte.zip"
        build = ["--command", "extension", "build", "--source-dir", str(ROOT), "--output-filepath", str(package)]
        environment = quiet_environment(os.environ) | {"BLENDER_USER_RESOURCES": str(room / "blender")}
        (room / "blender").mkdir()
        shutil.copytree(_FOOTAGE, room / "toy")
        subprocess.run([*blender, *build], env=environment, check=True, stdout=subprocess.DEVNULL)
        footage = min((room / "toy").iterdir())
        width, height = _SIZE
        screen = ["xvfb-run", "-a", "-s", f"-screen 0 {width}x{height}x24"]
        command = [
            *([] if os.environ.get("DISPLAY") else screen),
            *blender,
            "--factory-startup",
            *("--window-geometry", "0", "0", str(width), str(height)),
            *("-P", str(_STORY), "--", str(package), str(footage), str(_PICTURES)),
        ]
        code = subprocess.run(command, env=environment, check=False, timeout=60 * _MINUTES).returncode
    say(f"Pictures: {_PICTURES}")
    return code


if __name__ == "__main__":
    sys.exit(main())
