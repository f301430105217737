"""The command line: one function a command. Exit codes are errors.ExitCode."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from addon.checkpoints import OFFICIAL, checkpoints_folder
from addon.errors import ExitCode, MatteError
from addon.runtime import engine_environment, runtime_python
from addon.user_folder import user_folder

from .checks import PARTS, test
from .demo import demo
from .download import download
from .environments import ENGINE, ROOT, RUNTIME, RUNTIME_ENGINE, make, prepare, python_of
from .package import newest_blender, package
from .pythons import find_or_fetch
from .say import say
from .train import train


def main(arguments: Sequence[str]) -> int:
    """Run the command that `arguments` begin with; returns the exit code."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage())
        return ExitCode.OK if arguments else ExitCode.USAGE
    name, *rest = arguments
    if name not in COMMANDS:
        say(f"Error: there is no command {name!r}. Commands: {', '.join(COMMANDS)}.")
        return ExitCode.USAGE
    try:
        return COMMANDS[name][0](rest)
    except MatteError as error:
        say(f"Error: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        say("Stopped. Run it again to go on.")
        return ExitCode.CANCELLED


def _engine(arguments: Sequence[str]) -> int:
    return _pass_on("addon.engine", arguments)


def _bench(arguments: Sequence[str]) -> int:
    """`bench NAME ...` runs the module bench.NAME."""
    known = sorted(each.stem for each in (ROOT / "bench").glob("*.py") if not each.stem.startswith("_"))
    if not arguments or arguments[0] not in known:
        say(f"Error: bench what? Known: {', '.join(known)}.")
        return ExitCode.USAGE
    return _pass_on(f"bench.{arguments[0]}", arguments[1:])


def _pass_on(module: str, arguments: Sequence[str]) -> int:
    """Run `module` in the engine's environment: its output, its exit code, its signals."""
    prepare([ENGINE])
    # -P: the folder that the person is in must not shadow packages.
    command = [str(python_of(ENGINE)), "-P", "-m", module, *arguments]
    environment = engine_environment(ROOT)
    if sys.platform != "win32":
        os.execve(command[0], command, environment)
    return subprocess.run(command, env=environment, check=False).returncode


def _package(arguments: Sequence[str]) -> int:
    _parser("package", "build the extension's zip in dist/").parse_args(arguments)
    print(package(newest_blender()))
    return ExitCode.OK


def _demo(arguments: Sequence[str]) -> int:
    parser = _parser("demo", "markers, tracking and export in Blender, on a clip of this repository")
    parser.add_argument("clip", nargs="?", default="", help="a folder of demo/clips; default: the first")
    return demo(parser.parse_args(arguments).clip)


def _runtime(arguments: Sequence[str]) -> int:
    parser = _parser("runtime", "set up the engine's environment that the extension uses")
    parser.add_argument("folder", nargs="?", type=Path, help=f"default: {user_folder() / 'runtime'}")
    folder = parser.parse_args(arguments).folder
    folder = folder.absolute() if folder else user_folder() / "runtime"
    make(RUNTIME_ENGINE, folder, next(iter(find_or_fetch(RUNTIME).values())))
    print(runtime_python(folder))
    return ExitCode.OK


def _checkpoint(arguments: Sequence[str]) -> int:
    parser = _parser("checkpoint", "download a published SAM 2 checkpoint")
    parser.add_argument("name", choices=OFFICIAL, metavar="NAME", help=", ".join(OFFICIAL))
    official = OFFICIAL[parser.parse_args(arguments).name]
    target = checkpoints_folder() / official.file
    download(official.url, target, official.bytes, official.sha256)
    print(target)
    return ExitCode.OK


def _parser(command: str, description: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(prog=f"vendor_setup {command}", description=description)


COMMANDS: dict[str, tuple[Callable[[Sequence[str]], int], str]] = {
    "demo": (_demo, "track a clip of this repository through Blender's Python API and show the result"),
    "test": (test, f"linters, types, tests; optionally some of {', '.join(PARTS)}, then arguments for pytest"),
    "engine": (_engine, "the engine without Blender: engine track FOOTAGE ..., engine run JOB.json"),
    "package": (_package, "build the extension's zip in dist/"),
    "runtime": (_runtime, "set up the engine's environment that the extension uses"),
    "checkpoint": (_checkpoint, "download a published SAM 2 checkpoint"),
    "train": (train, "train the embedded checkpoint: all of it, or one step: render, train, export"),
    "bench": (_bench, "measure: bench quality ..."),
}


def _usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(["usage: python3 vendor_setup COMMAND ...", "", *lines])
