"""The command line: one function per command. Exit codes are those of errors.ExitCode."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from addon.checkpoints import OFFICIAL, checkpoints_folder
from addon.contract.errors import ExitCode, MatteError
from addon.installer.checkpoints import download_checkpoint
from addon.installer.install import collect, install
from addon.installer.machine import this_machine
from addon.installer.plan import InstallPlan
from addon.installer.pythons import find_engine_python
from addon.installer.torch_build import CHOICES, OtherBuildError
from addon.runtime.locate import current_runtime, engine_environment, runtime_python
from addon.runtime.user_folder import user_folder

from .checks import PARTS, test
from .demo import demo
from .environments import ENGINE, ROOT, RUNTIME, prepare, python_of
from .hashes import hashes
from .package import DIST, newest_blender, package
from .repository import repository
from .say import SayWatch, say
from .train import train
from .watch import watch


def main(arguments: Sequence[str]) -> int:
    """Run the command that is the first of `arguments`. Returns the exit code."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage())
        return ExitCode.OK if arguments else ExitCode.USAGE
    name, *rest = arguments
    if name not in COMMANDS:
        say(f"Error: there is no command {name!r}. Commands: {', '.join(COMMANDS)}.")
        return ExitCode.USAGE
    try:
        return COMMANDS[name][0](rest)
    except OtherBuildError as question:
        say(f"Error: {question} Agree to it with --agreed {question.build.name}.")
        return question.exit_code
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
    known = sorted(file.stem for file in (ROOT / "bench").glob("*.py") if not file.stem.startswith("_"))
    if not arguments or arguments[0] not in known:
        say(f"Error: bench what? Known: {', '.join(known)}.")
        return ExitCode.USAGE
    return _pass_on(f"bench.{arguments[0]}", arguments[1:])


def _pass_on(module: str, arguments: Sequence[str]) -> int:
    """Run `module` in the engine's environment, with its output, exit code and signals passed through."""
    prepare([ENGINE])
    # -P: files in the current folder must not shadow packages.
    command = [str(python_of(ENGINE)), "-P", "-m", module, *arguments]
    environment = engine_environment(ROOT)
    if sys.platform != "win32":
        os.execve(command[0], command, environment)
    return subprocess.run(command, stdin=sys.stdin, env=environment, check=False).returncode


def _package(arguments: Sequence[str]) -> int:
    _parser("package", "build the extension's zip in dist/").parse_args(arguments)
    print(package(newest_blender()))
    return ExitCode.OK


def _repository(arguments: Sequence[str]) -> int:
    parser = _parser("repository", "make a folder that Blender installs and updates the extension from, over the web")
    parser.add_argument("folder", nargs="?", type=Path, default=DIST / "repository", help="default: %(default)s")
    print(repository(newest_blender(), parser.parse_args(arguments).folder.absolute()))
    return ExitCode.OK


def _demo(arguments: Sequence[str]) -> int:
    parser = _parser("demo", "markers, tracking and export in Blender, on a clip of this repository")
    parser.add_argument("clip", nargs="?", default="toy", help="a folder of demo/clips; default: %(default)s")
    parser.add_argument(
        "--checkpoint",
        choices=("embedded", *OFFICIAL),
        default="embedded",
        metavar="NAME",
        help=f"embedded, which is for trying out (default), or one to download: {', '.join(OFFICIAL)}",
    )
    options = parser.parse_args(arguments)
    return demo(options.clip, options.checkpoint)


def _test(arguments: Sequence[str]) -> int:
    if {"-h", "--help"} & set(arguments):
        print("usage: python3 vendor_setup test [--watch] [PART ...] [PYTEST ARGUMENTS]")
        print(f"parts, default all but gui-long: {', '.join(PARTS)}")
        return ExitCode.OK
    rest = [argument for argument in arguments if argument != "--watch"]
    return test(rest) if rest == list(arguments) else watch(rest)


def _runtime(arguments: Sequence[str]) -> int:
    parser = _parser("runtime", "install, update or repair the engine that the extension uses")
    parser.add_argument("folder", nargs="?", type=Path, help=f"of runtime and checkpoints; default: {user_folder()}")
    parser.add_argument("--build", choices=("auto", *CHOICES), default="auto", help="of PyTorch; default: %(default)s")
    parser.add_argument("--python", default="", help="to make it from; default: this one")
    parser.add_argument("--wheels", type=Path, help="a folder that has all files: the network is not used")
    parser.add_argument("--agreed", default="", help="the build that is taken where the planned one can't be had")
    parser.add_argument("--plan", action="store_true", help="say what would be done, and do nothing")
    options = parser.parse_args(arguments)
    folder = options.folder.absolute() if options.folder else user_folder()
    wheels = options.wheels and options.wheels.absolute()
    plan = InstallPlan(folder, options.build, options.python, wheels, options.agreed)
    for line in plan.in_words(this_machine()):
        say(line)
    if options.plan:
        return ExitCode.OK
    done = install(plan, SayWatch(), ROOT)
    say(f"PyTorch {done.torch}, tried on {done.device}.")
    if done.gpu_problem:
        say(f"The GPU can't be used: {done.gpu_problem}")
    current = current_runtime(plan.runtimes)
    assert current is not None
    print(runtime_python(current))
    return ExitCode.OK


def _wheels(arguments: Sequence[str]) -> int:
    parser = _parser("wheels", "bring all files of the engine into a folder, for a computer without a network")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--build", choices=("auto", *CHOICES), default="auto", help="of PyTorch; default: %(default)s")
    parser.add_argument("--agreed", default="", help="the build that is taken where the planned one can't be had")
    parser.add_argument("--python", default="", help="of the version that Blender there has; default: this one")
    options = parser.parse_args(arguments)
    folder = options.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    plan = InstallPlan(folder, options.build, agreed=options.agreed)
    build = collect(folder, find_engine_python(options.python), plan, folder / "pip.log", SayWatch())
    say(f"All files for {build.words}. There: Preferences, Other Ways to Install, Folder of Wheels.")
    print(folder)
    return ExitCode.OK


def _checkpoint(arguments: Sequence[str]) -> int:
    parser = _parser("checkpoint", "download a published SAM 2 checkpoint")
    parser.add_argument("name", choices=OFFICIAL, metavar="NAME", help=", ".join(OFFICIAL))
    print(download_checkpoint(OFFICIAL[parser.parse_args(arguments).name], checkpoints_folder(), SayWatch()))
    return ExitCode.OK


def _hashes(arguments: Sequence[str]) -> int:
    _parser("hashes", "write down the sha256 of every file that may be a pinned package").parse_args(arguments)
    print(hashes(RUNTIME))
    return ExitCode.OK


def _parser(command: str, description: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(prog=f"vendor_setup {command}", description=description)


COMMANDS: dict[str, tuple[Callable[[Sequence[str]], int], str]] = {
    "demo": (_demo, "track a clip of this repository through Blender's Python API and show the result"),
    "test": (
        _test,
        f"linters, types, tests; optionally some of {', '.join(PARTS)}, then --watch, arguments for pytest",
    ),
    "engine": (_engine, "the engine without Blender: engine track FOOTAGE ..., engine run JOB.json"),
    "package": (_package, "build the extension's zip in dist/"),
    "repository": (_repository, "a folder for a web server, that Blender installs and updates the extension from"),
    "runtime": (_runtime, "install, update or repair the engine that the extension uses"),
    "wheels": (_wheels, "bring all files of the engine into a folder, for a computer without a network"),
    "checkpoint": (_checkpoint, "download a published SAM 2 checkpoint"),
    "hashes": (_hashes, "after a change of the engine's pins: write down what their files hash to"),
    "train": (train, "train the embedded checkpoint: all of it, or one step: render, train, export"),
    "bench": (_bench, "measure: bench quality ..."),
}


def _usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(["usage: python3 vendor_setup COMMAND ...", "", *lines])
