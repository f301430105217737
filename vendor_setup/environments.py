"""Virtual environments with exact pins. They are made once and reused.

An environment is ready if its stamp holds the hash of its pins. The stamp is written last, so an interrupted
environment is made again from the start.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from addon.contract.errors import EngineError
from addon.installer import pins as engine_pins
from addon.installer.environment import remove_folder
from addon.installer.install import make_engine
from addon.installer.pins import requirements_in
from addon.installer.plan import InstallPlan
from addon.installer.pythons import Python, Version, probe
from addon.installer.torch_build import ANY
from addon.runtime.locate import runtime_python
from addon.runtime.lock import only_one
from addon.runtime.processes import quiet_environment, run_quietly
from addon.runtime.watch import megabytes

from .pythons import SUPPORTED, find_or_fetch
from .say import SayWatch, say

ROOT = Path(__file__).resolve().parents[1]
RUNTIME = ROOT / ".runtime"
REQUIREMENTS = Path(__file__).resolve().parent / "requirements"

_STAMP = "ready.txt"
_HEARTBEAT = 5.0  # seconds without a line from pip
_DOWNLOADING = re.compile(r"\s*Downloading (?:\S*/)?(\S+) \(([\d.]+) ([MG]B)\)")


@dataclass(frozen=True, slots=True)
class Environment:
    """The contents of a virtual environment.

    requirements: files in the folder `requirements`, with exact versions.
    python: its Python version; None: any supported version.
    engine: whether it also has the engine's packages, which the extension's own installer installs.
    """

    name: str
    requirements: tuple[str, ...]
    python: Version | None = None
    engine: bool = False


ENGINE = Environment(
    "engine", ("tests.txt", "readers.txt", "upstream.txt", "plots.txt", "fuzz.txt", "farm.txt"), engine=True
)
QUICK = Environment("quick", ("lint.txt", "tests.txt"))  # linters and unit tests: seconds to make, no torch
TYPES = Environment("types", ("types.txt",))
TRUNK = Environment("trunk", ("trunk.txt",))  # contains weights, no code
BLENDERS = tuple(
    Environment(f"bpy-{version}", ("bpy.txt", "tests.txt", f"bpy-{version}.txt"), python)
    for version, python in (("4.2", (3, 11)), ("4.5", (3, 11)), ("5.0", (3, 11)), ("5.2", (3, 13)))
)


def folder_of(environment: Environment) -> Path:
    """The folder of an environment in the checkout."""
    return RUNTIME / environment.name


def python_of(environment: Environment) -> Path:
    """The interpreter of an environment in the checkout."""
    return runtime_python(folder_of(environment))


def pins(environment: Environment) -> str:
    """The hash of everything that is installed; comments do not count. Another hash requires a new environment."""
    digest = hashlib.sha256(engine_pins.digest().encode() if environment.engine else b"")
    for name in environment.requirements:
        digest.update(repr(requirements_in(REQUIREMENTS / name)).encode())
    return digest.hexdigest()


def is_ready(environment: Environment, folder: Path) -> bool:
    """Whether `folder` holds the complete environment with the current pins, and its Python runs."""
    try:
        stamp = (folder / _STAMP).read_text(encoding="utf-8")
    except OSError:
        return False
    return stamp == pins(environment) and probe([str(runtime_python(folder))], "sys") is not None


def prepare(environments: Sequence[Environment]) -> None:
    """Make all environments that are not ready, in parallel. Raises EngineError or OutputError of the first failure."""
    missing = [environment for environment in environments if not is_ready(environment, folder_of(environment))]
    if not missing:
        return
    pythons = find_or_fetch(RUNTIME)
    os.environ["PIP_COMPILE"] = "0"  # most modules are never imported, and Python compiles the others on import
    say(f"Setting up {', '.join(environment.name for environment in missing)} in {RUNTIME} (once; several minutes) ...")
    with concurrent.futures.ThreadPoolExecutor(len(missing)) as pool:
        made = [
            pool.submit(make, environment, folder_of(environment), _python_for(environment, pythons))
            for environment in missing
        ]
    for future in made:
        future.result()


def _python_for(environment: Environment, pythons: dict[Version, Python]) -> Python:
    if environment.python is None:
        return next(iter(pythons.values()))
    if environment.python not in pythons:
        wanted = ".".join(map(str, environment.python))
        raise EngineError(f"It needs Python {wanted}.", where=environment.name, hint="Install that and run this again.")
    return pythons[environment.python]


def make(environment: Environment, folder: Path, python: Python) -> None:
    """Make `environment` in `folder`, which is replaced. Raises EngineError, OutputError."""
    with only_one(folder.with_name(f"{folder.name}.lock"), environment.name, SayWatch()):
        if is_ready(environment, folder):
            return
        log = folder.with_name(f"{folder.name}.log")
        log.unlink(missing_ok=True)
        if environment.engine:
            watch = SayWatch(f"[{environment.name}] ")
            _, torch = make_engine(folder, python, InstallPlan(RUNTIME, agreed=ANY), RUNTIME / "downloads", log, watch)
            shutil.rmtree(RUNTIME / "downloads", ignore_errors=True)
            run_quietly(
                [str(runtime_python(folder)), "-m", "ensurepip"]
            )  # the engine's environment is made without pip
            say(f"[{environment.name}] torch {torch}")
        else:
            remove_folder(folder)
            run_quietly([str(python.path), "-m", "venv", str(folder)])
        installer = _Installer(environment.name, folder, log)
        installer.install(*[part for name in environment.requirements for part in ("-r", name)])
        if environment is TYPES:
            _share_packages(folder, folder_of(ENGINE))
        shutil.rmtree(installer.scratch, ignore_errors=True)
        (folder / _STAMP).write_text(pins(environment), encoding="utf-8")
        say(f"[{environment.name}] ready")


def _share_packages(folder: Path, other: Path) -> None:
    """Let mypy in `folder` see the packages of `other`, so that torch is not installed twice."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(run_quietly([str(runtime_python(folder)), "-c", code]).strip())
    if sys.platform == "win32":
        shared = [other / "Lib" / "site-packages"]
    else:  # all Pythons that the other may have been made with; missing paths are skipped
        shared = [other / "lib" / f"python{major}.{minor}" / "site-packages" for major, minor in SUPPORTED]
    (site / "engine.pth").write_text("".join(f"{line}\n" for line in shared), encoding="utf-8")


class _Installer:
    """Runs pip in one environment. Downloads are reported; its whole output goes to a log beside the environment."""

    def __init__(self, name: str, folder: Path, log: Path) -> None:
        self.name = name
        self.folder = folder
        self.log = log
        self.scratch = folder / "downloads"
        self.scratch.mkdir()

    def install(self, *arguments: str) -> None:
        """Run `pip install *arguments`. Raises EngineError with pip's reason."""
        command = [
            str(runtime_python(self.folder)),
            "-m",
            "pip",
            "install",
            "--no-input",
            "--disable-pip-version-check",
        ]
        environment = quiet_environment()
        environment |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self.scratch))
        process = subprocess.Popen(
            [*command, "--progress-bar", "off", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
            cwd=REQUIREMENTS,
        )
        output = self._follow(process)
        if process.wait():
            errors = [line for line in output if line.startswith("ERROR:")] or output[-1:]
            reason = errors[-1].removeprefix("ERROR:").strip() if errors else f"pip ended with {process.returncode}"
            raise EngineError(
                f"It can't be installed: {reason}", where=self.name, hint=f"Run this again; the log is {self.log}."
            )

    def _follow(self, process: subprocess.Popen[str]) -> list[str]:
        """Log the lines of `process` as they come, and return them."""
        assert process.stdout is not None
        source = process.stdout
        lines: queue.Queue[str | None] = queue.Queue()

        def read() -> None:
            for line in source:
                lines.put(line.rstrip())
            lines.put(None)

        threading.Thread(target=read, daemon=True).start()
        output: list[str] = []
        file = ""
        size = 0
        with self.log.open("a", encoding="utf-8") as log:
            while True:
                try:
                    line = lines.get(timeout=_HEARTBEAT)
                except queue.Empty:
                    here = self._downloaded(file) if file else 0
                    if 0 < here < size:
                        say(f"[{self.name}] {file}: {megabytes(here)} of {megabytes(size)}")
                    continue
                if line is None:
                    return output
                output.append(line)
                print(line, file=log, flush=True)
                file = ""
                if found := _DOWNLOADING.match(line):
                    file = found[1]
                    size = round(float(found[2]) * {"MB": 1e6, "GB": 1e9}[found[3]])
                    say(f"[{self.name}] downloading {file} ({megabytes(size)})")
                elif line.startswith("Installing collected packages:"):
                    packages = line.split(":", 1)[1].split(",")
                    what = packages[0].strip() if len(packages) == 1 else f"{len(packages)} packages"
                    say(f"[{self.name}] installing {what}")

    def _downloaded(self, file: str) -> int:
        """The number of bytes of `file` that have been downloaded."""
        try:
            return max((path.stat().st_size for path in self.scratch.rglob(file)), default=0)
        except OSError:  # pip has moved it
            return 0
