"""Installing the engine's runtime: it is made beside the old one, tested, and only then used.

Each installation goes into a new numbered folder. When its self-test has passed, renaming one file makes it the current
one. So a failed or stopped installation leaves the old one working, and an engine that runs from the old one does not
block a new installation.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import shutil
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..contract.disk import discard, patiently, write_data
from ..contract.errors import EngineError, OutputError
from ..runtime.locate import CURRENT, can_start, current_runtime, runtime_python
from ..runtime.lock import is_used, only_one
from ..runtime.watch import Watch, megabytes
from . import pins
from .download import download, open_url, sha256_of
from .environment import Package, VirtualEnvironment, another_file, remove_folder
from .index import has_torch
from .machine import this_machine
from .plan import InstallPlan
from .pythons import Python, find_engine_python
from .self_test import self_test
from .torch_build import CHOICES, CUDA, PYPI_CUDA, Build, Choice, Machine, refuse_other, settle
from .uv import bring_wheel

FACTS = "installed.json"
_TRUSTED = (".pytorch.org", ".nvidia.com", ".pythonhosted.org")  # servers that PyTorch's own indexes point to
_PATIENCE = 30.0  # seconds
_ASKED_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Installed:
    """The facts about a finished runtime, which are stored in it.

    pins: the value of pins.digest() at its installation.
    device: the device of the self-test, in words.
    gpu_problem: why the self-test could not run on the GPU; empty if it could, or if there is no GPU.
    """

    pins: str
    build: str
    torch: str
    python: str
    device: str = ""
    gpu_problem: str = ""

    @property
    def up_to_date(self) -> bool:
        """Whether it was installed with this extension's pins."""
        return self.pins == pins.digest()


def installed(runtimes: Path) -> Installed | None:
    """The facts about the current runtime; None if there is none or it is damaged."""
    current = current_runtime(runtimes)
    if current is None or not can_start(runtime_python(current)):
        return None
    try:
        return Installed(**json.loads((current / FACTS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def install(plan: InstallPlan, watch: Watch, extension: Path) -> Installed:
    """Install, update or repair the runtime.

    Args:
        plan: what to install, and where.
        watch: told of the progress, and asked whether to stop.
        extension: the folder with the engine's code, for the self-test.

    Raises:
        EngineError: a file can't be downloaded or installed, or the engine does not run.
        OutputError: a file can't be written.
        Cancelled: the user asked to stop; the next call uses the downloaded files.
    """
    python = find_engine_python(plan.python)
    with _writing(plan.runtimes), only_one(plan.runtimes / "lock", "installing the engine", watch):
        _remove_unused(plan.runtimes)
        plan.log.write_bytes(b"")
        folder = _next_folder(plan.runtimes)
        try:
            build, torch = make_engine(folder, python, plan, plan.runtimes / "downloads", plan.log, watch)
            found = self_test(folder, extension, plan.folder, plan.log, Share(watch, 0.9, 1.0))
        except BaseException:
            discard(folder)
            raise
        version = ".".join(map(str, python.version))
        result = Installed(pins.digest(), build.name, torch, version, found.device, found.gpu_problem)
        (folder / FACTS).write_text(json.dumps(asdict(result), indent=1), encoding="utf-8")
        watch.check()
        _make_current(folder)
        discard(plan.runtimes / "downloads")
        _remove_unused(plan.runtimes)
        return result


def make_engine(
    folder: Path, python: Python, plan: InstallPlan, downloads: Path, log: Path, watch: Watch
) -> tuple[Build, str]:
    """Install everything that the engine needs into a new virtual environment.

    Args:
        folder: the folder of the environment.
        python: the Python to make it from.
        plan: what to install.
        downloads: the folder of downloaded files, which are kept in any case.
        log: the file to which uv's output is added.
        watch: told of the progress, and asked whether to stop.

    Returns:
        The build of torch and its version.

    Raises:
        EngineError, OutputError, Cancelled: see `install`.
    """
    environment, build, packages = _begin(folder, python, plan, downloads, log, watch)
    files = bring(packages, downloads, Share(watch, 0.04, 0.7))
    share = Share(watch, 0.7, 0.9)

    def tell(done: int) -> None:
        share.progress(f"Installing packages: {min(done, len(files))} of {len(files)}", done / len(files))

    tell(0)
    environment.install(list(zip(packages, files, strict=True)), watch, tell)
    environment.clean()
    return build, next(package.version for package in packages if package.name == "torch")


def collect(folder: Path, python: Python, plan: InstallPlan, log: Path, watch: Watch) -> Build:
    """Download all files of an installation to `folder`, for a similar computer without a network.

    Raises:
        EngineError, OutputError, Cancelled: see `install`.
    """
    with _writing(folder), tempfile.TemporaryDirectory(prefix="splat-matte-") as scratch:
        environment, build, packages = _begin(Path(scratch) / "environment", python, plan, folder, log, watch)
        for archive in [*bring(packages, folder, Share(watch, 0.04, 1.0)), *environment.build_tools]:
            if archive.parent != folder:
                shutil.copy2(archive, folder)
        for lock in folder.glob("*.lock"):
            patiently(lock.unlink)
    return build


def _begin(
    folder: Path, python: Python, plan: InstallPlan, downloads: Path, log: Path, watch: Watch
) -> tuple[VirtualEnvironment, Build, list[Package]]:
    """Make an environment that can build packages. Returns it, the build of torch, and all packages of the engine."""
    environment = VirtualEnvironment(folder, bring_wheel(downloads, plan.wheels, watch), plan.wheels, log)
    watch.progress("Making a virtual environment", 0.0)
    environment.make(python, watch)
    # Packages without wheels (antlr4, iopath, sam2) are built with these, after their hashes have been compared.
    build_tools = environment.resolve(pins.read(pins.BUILD), ["--no-deps"], watch)
    tools = bring(build_tools, downloads, Share(watch, 0.0, 0.02))
    environment.install(list(zip(build_tools, tools, strict=True)), watch)
    environment.build_tools += tools

    watch.progress("Choosing files", 0.02)
    engine = [pin for pin in pins.read(pins.ENGINE) if not pin.startswith("torch==")]
    packages = environment.resolve(engine, ["--no-deps"], watch)
    names = {pins.normal(package.name) for package in packages}
    machine = this_machine()
    choice = plan.builds(machine, python.version)
    build = _settle(plan, machine, choice, python, watch)
    wanted = f"torch=={pins.version_of('torch')}" + (f"+{build.local}" if build.local else "")
    # Packages that only other builds need have other versions than those of CUDA 13.
    files = [pins.ENGINE, pins.CUDA] if build in (CUDA, PYPI_CUDA) else [pins.ENGINE]
    options = [part for file in files for part in ("-c", str(pins.REQUIREMENTS / file))]
    if build.index and plan.wheels is None:
        options += ["--index", build.index]
    with_torch = environment.resolve([wanted], ["--only-binary", ":all:", *options], watch)
    packages += [package for package in with_torch if pins.normal(package.name) not in names]
    # A private registry may have another build than the default one.
    local = next(package.version for package in packages if package.name == "torch").partition("+")[2]
    build = next((build for build in CHOICES.values() if build.local == local), build)
    refuse_other(machine, choice.builds[0], build, sum(sizes_of(packages)), plan.agreed)
    plan.check(build)
    return environment, build, packages


def bring(packages: Sequence[Package], downloads: Path, watch: Watch) -> list[Path]:
    """Download and verify packages. Returns their files.

    Raises:
        EngineError: a package can't be downloaded, or its file is not the pinned one.
    """
    for package in packages:
        _refuse_unknown(package)
    sizes = sizes_of(packages)
    total = sum(sizes)
    if total:
        count, whole = sum(size > 0 for size in sizes), megabytes(total)
        watch.note(f"1 file to download, {whole}." if count == 1 else f"{count} files to download, {whole}.")
    files = []
    done = 0
    for package, size in zip(packages, sizes, strict=True):
        watch.check()
        if (here := package.path) is not None:
            watch.progress(f"Checking {here.name}", done / max(1, total))
            if sha256_of(here) != package.sha256:
                raise another_file(f"{package.name} {package.version}", package.file)
            files.append(here)
            continue
        target = downloads / package.file
        share = Share(watch, done / max(1, total), (done + size) / max(1, total))
        download(package.url, target, size, package.sha256, share, EngineError)
        files.append(target)
        done += size
    return files


def _refuse_unknown(package: Package) -> None:
    """Raise EngineError if a package is not a pinned file.

    Some of PyTorch's own builds, and packages that only they need, have no hash in the pins. Their exact version is
    pinned, and the hash is the one from PyTorch's index over TLS, or that of the file in the user's folder.
    """
    known = pins.hashes_of(package.name, package.version, package.file)
    if known and package.sha256 not in known:
        raise another_file(f"{package.name} {package.version}", package.file)
    parts = urllib.parse.urlsplit(package.url)
    trusted = parts.scheme == "https" and f".{parts.hostname}".endswith(_TRUSTED)
    if not known and package.path is None and not trusted:
        raise EngineError(
            f"{package.name} {package.version} is not pinned, and comes neither from PyTorch nor from a folder.",
            where=package.url,
            hint="Choose another build of PyTorch in the preferences.",
        )


def sizes_of(packages: Sequence[Package]) -> list[int]:
    """The bytes to download for each package; 0 for files on this machine. Raises EngineError."""
    with concurrent.futures.ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        return list(pool.map(_size, packages))


def _size(package: Package) -> int:
    if package.path is not None or package.size:
        return package.size if package.path is None else 0
    try:
        with open_url(urllib.request.Request(package.url, method="HEAD"), _PATIENCE) as answer:
            return int(answer.headers["Content-Length"])
    except (OSError, ValueError, TypeError) as error:
        raise EngineError(
            f"The server does not state the size of this file: {error}.", where=package.url, hint="Try again later."
        ) from None


def _settle(plan: InstallPlan, machine: Machine, choice: Choice, python: Python, watch: Watch) -> Build:
    """The best build that is available. Raises EngineError or Cancelled."""
    if choice.note:
        watch.note(choice.note)

    def offers(build: Build) -> bool:
        if plan.wheels is None:
            return has_torch(machine, python.version, build, watch)
        return any(
            plan.wheels.glob(f"torch-{pins.version_of('torch')}{f'+{build.local}' if build.local else ''}-*.whl")
        )

    build = settle(choice, offers, str(plan.wheels or ""))
    if build is not choice.builds[0]:
        watch.note(f"PyTorch for {choice.builds[0].words} can't be had: taking that for {build.words}.")
    return build


class Share(Watch):
    """Reports a part of a task: its progress 0..1 is `start`..`end` of another watch."""

    def __init__(self, watch: Watch, start: float, end: float) -> None:
        self._watch = watch
        self._start = start
        self._length = end - start

    def progress(self, words: str, fraction: float) -> None:
        """See Watch."""
        self._watch.progress(words, self._start + self._length * min(1.0, fraction))

    def note(self, words: str) -> None:
        """See Watch."""
        self._watch.note(words)

    def stopping(self) -> bool:
        """See Watch."""
        return self._watch.stopping()


# --- the folders


def _next_folder(runtimes: Path) -> Path:
    numbers = [int(path.name) for path in runtimes.iterdir() if path.name.isdecimal()]
    return runtimes / str(max(numbers, default=0) + 1)


def _make_current(folder: Path) -> None:
    write_data(folder.with_name(CURRENT), folder.name.encode())


def _remove_unused(runtimes: Path) -> None:
    """Remove all runtimes except the current one and those that an engine of another Blender is using."""
    current = current_runtime(runtimes)
    for path in runtimes.iterdir():
        if path.name.isdecimal() and path != current and not is_used(path):
            discard(path)


def remove(folder: Path, watch: Watch) -> None:
    """Remove the runtime in the data folder `folder`. Checkpoints are kept. Raises OutputError."""
    runtimes = folder / "runtime"
    with _writing(runtimes), only_one(folder / "runtime.lock", "installing the engine", watch):
        patiently(lambda: (runtimes / CURRENT).unlink(missing_ok=True))
        remove_folder(runtimes)


def move(folder: Path, target: Path, watch: Watch) -> None:
    """Move runtime and checkpoints from one data folder to another, which may be on another disk.

    Everything is copied first, then the originals are removed. A failure before that changes nothing.

    Raises:
        OutputError: a file can't be written, or the new folder has a runtime or checkpoints already.
        Cancelled: the user asked to stop.
    """
    if target == folder or folder in target.parents or target in folder.parents:
        raise OutputError("The new folder can't be inside the old one or contain it.", where=str(target))
    rooms = [name for name in ("runtime", "checkpoints") if (folder / name).exists()]
    for name in rooms:
        if (target / name).exists():
            raise OutputError("This folder exists already.", where=str(target / name), hint="Choose another folder.")
    files = [path for name in rooms for path in (folder / name).rglob("*") if path.is_file() or path.is_symlink()]
    total = sum(file.lstat().st_size for file in files)
    with _writing(target):
        copied = 0
        try:
            for file in files:
                watch.check()
                watch.progress(f"Copying {megabytes(copied)} of {megabytes(total)}", copied / max(1, total))
                goal = target / file.relative_to(folder)
                goal.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, goal, follow_symlinks=False)
                copied += file.lstat().st_size
        except BaseException:
            for name in rooms:
                discard(target / name)
            raise
    for name in rooms:
        remove_folder(folder / name)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Make `folder`, and turn an OSError that is raised inside into an OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise OutputError(
            f"This file or folder can't be written: {error.strerror or error}.",
            where=os.fspath(error.filename or folder),
            hint="Allow writing there, free some space, or choose another Data Folder in the preferences.",
        ) from None
