"""`test gui`: stories of tests/gui told by mouse and keys in a real Blender window.

    python3 vendor_setup test gui
    python3 vendor_setup test gui-long     the long stories, which are not told unless they are asked for

The Blender is the one that BLENDER names, with a display (or xvfb-run, which makes one), xdotool and ImageMagick's
`import`; else one of Debian's packages, which is set up in .runtime where that is possible. Without either nothing is
tested, which is said loudly and is no failure: exit code NOT_RUN. Pictures of each state go to dist/gui.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from addon.contract.errors import EngineError
from addon.runtime.processes import quiet_environment

from . import debian_blender
from .environments import ROOT
from .say import say

NOT_RUN = 77  # as automake counts it: neither passed nor failed

SHORT = ("short",)
LANGUAGES = ("languages",)  # a script, not told by hand
LONG = ("long", "files", "picking", "to_mask")

_STORIES = ROOT / "tests" / "gui"
_FOOTAGE = ROOT / "demo" / "clips" / "toy" / "rgb"
_PICTURES = ROOT / "dist" / "gui"
_SIZE = (1600, 1000)
_MINUTES = 15


def missing(
    platform: str, environment: Mapping[str, str], which: Callable[[str], str | None] = shutil.which
) -> list[str]:
    """What a story can't be told without in the Blender that BLENDER names, in words; empty if all is there."""
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


def main(arguments: Sequence[str], footage: Path = _FOOTAGE) -> int:
    """Tell the stories: of `arguments`, or the short one. The exit code of the first that fails, or NOT_RUN.

    Args:
        footage: a folder of images, of which each story gets a copy.
    """
    try:
        blender, around = _find_blender()
    except EngineError as error:
        say(f"NOT RUN: {error}")
        return NOT_RUN
    for story in arguments or SHORT:
        if code := _tell(story, blender, around, footage):
            say(f"The story {story} failed; pictures: {_PICTURES}")
            return code
    say(f"Pictures: {_PICTURES}")
    return 0


_Around = Callable[[Sequence[str]], list[str]]


def _find_blender() -> tuple[list[str], _Around]:
    """A Blender, and what makes commands run where it is. Raises EngineError: there is none."""
    lacking = missing(sys.platform, os.environ)
    if not lacking:
        return shlex.split(os.environ["BLENDER"]), list
    problem = debian_blender.obstacle()
    if os.environ.get("BLENDER") or problem:
        words = "; ".join(lacking) + (f". Nor can it set one up: {problem}" if problem else "")
        raise EngineError(f"The GUI test needs {words}.")
    debian_blender.prepare()
    return ["blender"], debian_blender.command


def _tell(story: str, blender: Sequence[str], around: _Around, images: Path) -> int:
    with tempfile.TemporaryDirectory(prefix="splat-matte-gui-") as folder:
        room = Path(folder)
        package = room / "splat_matte.zip"
        environment = quiet_environment(os.environ) | {
            "BLENDER_USER_RESOURCES": str(room / "blender"),
            "HOME": str(room),
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "SPLAT_MATTE_FOLDER": str(room / "splat_matte"),
        }
        (room / "blender").mkdir()
        shutil.copytree(images, room / "toy")
        build = ["build", "--source-dir", str(ROOT), "--output-filepath", str(package)]
        for command in (build, ["install-file", "-r", "user_default", "-e", str(package)]):
            extension = around([*blender, "--command", "extension", *command])
            subprocess.run(extension, stdin=subprocess.DEVNULL, env=environment, check=True, stdout=subprocess.DEVNULL)
        footage = min((room / "toy").iterdir())
        width, height = _SIZE
        screen = ["xvfb-run", "-a", "-s", f"-screen 0 {width}x{height}x24"]
        told = around(
            [
                *([] if os.environ.get("DISPLAY") and around is list else screen),
                *blender,
                *("--window-geometry", "0", "0", str(width), str(height)),
                *("-P", str(_STORIES / f"{story}.py"), "--", str(footage), str(_PICTURES)),
            ]
        )
        return subprocess.run(
            told, stdin=subprocess.DEVNULL, env=environment, check=False, timeout=60 * _MINUTES
        ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
