"""`test gui`: stories of tests/gui told by mouse and keys in a real Blender window.

    python3 vendor_setup test gui
    python3 vendor_setup test gui-long     the long stories, which are not told unless they are asked for
    python3 -m vendor_setup.gui STORY ... [--scale 1.5] [--light]     some of them, in another look
    python3 -m vendor_setup.gui long picking install --guide          the guide's pictures, taken anew

The Blender is the one that BLENDER names, with a display (or xvfb-run, which makes one), xdotool and ImageMagick's
`import`; else one of Debian's packages, which is set up in .runtime where that is possible. Without either nothing is
tested, which is said loudly and is no failure: exit code NOT_RUN. Pictures of each state go to dist/gui.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from addon.contract.errors import EngineError
from addon.installer import pins
from addon.installer.install import collect
from addon.installer.plan import InstallPlan
from addon.installer.pythons import find_engine_python
from addon.installer.torch_build import ANY
from addon.runtime.locate import PYTHON_VARIABLE
from addon.runtime.lock import only_one
from addon.runtime.processes import quiet_environment

from . import debian_blender
from .environments import ENGINE, ROOT, RUNTIME, python_of
from .say import SayWatch, say

NOT_RUN = 77  # as automake counts it: neither passed nor failed

SHORT = ("short",)
LANGUAGES = ("languages",)  # a script, not told by hand
LONG = (
    "long",
    "marking",
    "files",
    "editors",
    "picking",
    "to_mask",
    "repair",
    "frames",
    "hold",
    "edges",
    "panorama",
    "queue_of_clips",
    "workplace",
    "farm",
    "install",
)
COMMANDS = ("repository",)  # programs that start Blender without a window

_STORIES = ROOT / "tests" / "gui"
_FOOTAGE = ROOT / "demo" / "clips" / "toy" / "rgb"
_RENDERED = {"panorama": "write_panorama.py"}  # stories with footage of their own, and what renders it into a folder
_PICTURES = ROOT / "dist" / "gui"
_IMAGES = ROOT / "docs" / "images"
_WHEELS = RUNTIME / "wheels"
_PACKAGE = "splat_matte.zip"
_HOME, _PYTHON = Path("/home/artist"), Path("/opt/python")  # pictures show these instead of this machine's folders
_SIZE = (1600, 1000)
_MINUTES = 20
_PATIENCE = 5.0  # seconds that a Blender gets to end, when its story took too long

_SCRIPT = ("--background", "--python-exit-code", "1", "--python-expr")
_LOOK = """
import pathlib
import bpy
bpy.context.preferences.view.ui_scale = {scale}
if {light}:
    found = [pathlib.Path(folder) / "Blender_Light.xml" for folder in bpy.utils.preset_paths("interface_theme")]
    theme = str(next(file for file in found if file.exists()))
    bpy.ops.script.execute_preset(filepath=theme, menu_idname="USERPREF_MT_interface_theme_presets")
bpy.ops.wm.save_userpref()
"""


def missing(
    platform: str, environment: Mapping[str, str], which: Callable[[str], str | None] = shutil.which
) -> list[str]:
    """Return what the Blender that BLENDER names lacks for a story, in words; empty if nothing is missing."""
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


def main(arguments: Sequence[str], footage: Path = _FOOTAGE, minutes: float = _MINUTES) -> int:
    """Tell the stories: of `arguments`, or the short one. All, and the exit code of the first that fails; or NOT_RUN.

    Args:
        footage: a folder of images, of which each story gets a copy.
        minutes: that a story may take, if `arguments` do not say.
    """
    parser = argparse.ArgumentParser(prog="vendor_setup.gui", description="stories by hand in a real Blender window")
    parser.add_argument("stories", nargs="*", metavar="STORY", default=SHORT, help="files of tests/gui")
    parser.add_argument("--scale", type=float, default=1.0, help="of Blender's interface; default: %(default)s")
    parser.add_argument("--light", action="store_true", help="Blender's light theme instead of the dark one")
    parser.add_argument("--minutes", type=float, default=minutes, help="that a story may take; default: %(default)s")
    parser.add_argument("--guide", action="store_true", help="put the pictures that the guide has into docs/images")
    options = parser.parse_args(arguments)
    since = time.time()
    try:
        blender, around = _find_blender()
    except EngineError as error:
        say(f"NOT RUN: {error}")
        return NOT_RUN
    look = _LOOK.format(scale=options.scale, light=options.light) if options.light or options.scale != 1 else ""
    with tempfile.TemporaryDirectory(prefix="splat-matte-gui-") as room:
        _install(blender, around, look, Path(room))
        codes = [_tell(story, blender, around, Path(room), footage, options.minutes) for story in options.stories]
    say(f"Pictures: {_PICTURES}")
    if options.guide:
        say(f"Taken anew: {', '.join(take_anew(_PICTURES, _IMAGES, since)) or 'none'}")
    return next((code for code in codes if code), 0)


def take_anew(pictures: Path, images: Path, since: float) -> list[str]:
    """Copy the pictures that were taken since then, in seconds of the epoch, over those of the same name in `images`.

    Returns their names.
    """
    taken = sorted(file for file in pictures.glob("*.png") if file.stat().st_mtime >= since)
    names = [file.name for file in taken if (images / file.name).exists()]
    for name in names:
        shutil.copyfile(pictures / name, images / name)
    return names


_Around = Callable[[Sequence[str], Mapping[Path, Path]], list[str]]


def _as_it_is(arguments: Sequence[str], places: Mapping[Path, Path]) -> list[str]:
    return list(arguments)


def _find_blender() -> tuple[list[str], _Around]:
    """A Blender, and what makes commands run where it is. Raises EngineError: there is none."""
    lacking = missing(sys.platform, os.environ)
    if not lacking:
        return shlex.split(os.environ["BLENDER"]), _as_it_is
    problem = debian_blender.obstacle()
    if os.environ.get("BLENDER") or problem:
        words = "; ".join(lacking) + (f". Nor can it set one up: {problem}" if problem else "")
        raise EngineError(f"The GUI test needs {words}.")
    debian_blender.prepare()
    return ["blender"], debian_blender.command


def _install(blender: Sequence[str], around: _Around, look: str, room: Path) -> None:
    """The extension into preferences of its own, in `room`: once, as each of these commands starts a Blender."""
    package = room / _PACKAGE
    (room / "blender").mkdir()
    build = ["--command", "extension", "build", "--source-dir", str(ROOT), "--output-filepath", str(package)]
    install = ["--command", "extension", "install-file", "-r", "user_default", "-e", str(package)]
    for command in (build, install, *([[*_SCRIPT, look]] if look else [])):
        prepared = around([*blender, *command], {})
        subprocess.run(
            prepared, stdin=subprocess.DEVNULL, env=_environment(room), check=True, stdout=subprocess.DEVNULL
        )


def _environment(room: Path) -> dict[str, str]:
    """Return the environment of a Blender whose preferences and data are in `room`."""
    return quiet_environment(os.environ) | {
        "BLENDER_USER_RESOURCES": str(room / "blender"),
        "HOME": str(room),
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "SPLAT_MATTE_FOLDER": str(room / "splat_matte"),
        PYTHON_VARIABLE: os.environ.get(PYTHON_VARIABLE) or str(python_of(ENGINE)),
    }


def _tell(story: str, blender: Sequence[str], around: _Around, installed: Path, images: Path, minutes: float) -> int:
    if story in COMMANDS:
        command = ["python3", str(_STORIES / f"{story}.py"), str(installed / _PACKAGE), *blender]
        code = wait_for(around(command, {}), _environment(installed), minutes)
    else:
        code = _tell_by_hand(story, blender, around, installed, images, minutes)
    say(f"Told: {story}" if code == 0 else f"The story {story} failed")
    return code


def _tell_by_hand(
    story: str, blender: Sequence[str], around: _Around, installed: Path, images: Path, minutes: float
) -> int:
    with tempfile.TemporaryDirectory(prefix="splat-matte-gui-") as folder:
        room = Path(folder)
        home = room if around is _as_it_is else _HOME
        shutil.copytree(installed / "blender", room / "blender")
        if story in _RENDERED:
            shots = room / story
            render = [python_of(ENGINE), _STORIES / _RENDERED[story], shots]
            subprocess.run(render, stdin=subprocess.DEVNULL, check=True)
        else:
            shots = room / "toy"
            shutil.copytree(images, shots)
        footage = home / min(shots.iterdir()).relative_to(room)
        places = {room: home}
        needs: list[Path] = []
        if story == "install":
            wheels, python = _bring_wheels(), Path(os.path.realpath(sys.executable))
            needs = [wheels, python]
            if around is not _as_it_is and python.parents[1] != Path("/usr"):
                places |= {wheels: home / wheels.name, python.parents[1]: _PYTHON}
                needs = [home / wheels.name, _PYTHON / python.relative_to(python.parents[1])]
        width, height = _SIZE
        screen = ["xvfb-run", "-a", "-s", f"-screen 0 {width}x{height}x24"]
        told = around(
            [
                *([] if os.environ.get("DISPLAY") and around is _as_it_is else screen),
                *blender,
                *("--window-geometry", "0", "0", str(width), str(height)),
                *("-P", str(_STORIES / f"{story}.py"), "--", str(footage), str(_PICTURES)),
                *map(str, needs),
            ],
            places,
        )
        return wait_for(told, _environment(home), minutes)


def _bring_wheels() -> Path:
    """A folder of all that the engine needs on a CPU, made once, for this Python. Raises EngineError."""
    python = find_engine_python("")
    with only_one(_WHEELS.with_name("wheels.lock"), "wheels", SayWatch()):
        made_from = _WHEELS / "ready.txt"
        if not made_from.exists() or made_from.read_text(encoding="ascii") != pins.digest():
            _WHEELS.mkdir(parents=True, exist_ok=True)
            plan = InstallPlan(_WHEELS, "cpu", agreed=ANY)
            collect(_WHEELS, python, plan, _WHEELS / "pip.log", SayWatch())
            made_from.write_text(pins.digest(), encoding="ascii")
    return _WHEELS


def wait_for(command: Sequence[str], environment: Mapping[str, str], minutes: float) -> int:
    """Run it to its end, and return its exit code; what takes longer is ended with all that it has started."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment, start_new_session=True) as process:
        try:
            return process.wait(60 * minutes)
        except subprocess.TimeoutExpired:
            say(f"Ended: it took longer than {minutes:g} minutes")
            return 1
        finally:
            if process.poll() is None:
                _end(process)


def _end(leader: subprocess.Popen[bytes]) -> None:
    """The leader of a group of processes, and the group: X takes its lock file away when it is asked to end."""
    os.killpg(leader.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        leader.wait(_PATIENCE)
    with contextlib.suppress(ProcessLookupError):  # none is left
        os.killpg(leader.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
