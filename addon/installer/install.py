"""The engine's runtime: made beside the old one, tried out, and only then used.

Each installation goes into a new numbered folder, and becomes the current one by a single renamed file when its
self-test has passed. So whatever fails, or is stopped, leaves the old one working, and an engine that runs from the
old one does not keep a new one from being installed.
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

from ..contract.disk import discard, patiently, write_bytes, write_file
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
_TRUSTED = (".pytorch.org", ".nvidia.com", ".pythonhosted.org")  # what PyTorch's own indexes point to
_PATIENCE = 30.0  # seconds
_ASKED_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Installed:
    """What is written down in a finished runtime.

    pins: pins.digest().
    device: what the self-test ran on, in words.
    gpu_problem: why it could not run on the GPU; empty if it could, or if there is none.
    """

    pins: str
    build: str
    torch: str
    python: str
    device: str = ""
    gpu_problem: str = ""

    @property
    def up_to_date(self) -> bool:
        """Whether it has this extension's pins."""
        return self.pins == pins.digest()


def installed(runtimes: Path) -> Installed | None:
    """What the current runtime is; None: there is none, or it is damaged."""
    current = current_runtime(runtimes)
    if current is None or not can_start(runtime_python(current)):
        return None
    try:
        return Installed(**json.loads((current / FACTS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def install(plan: InstallPlan, watch: Watch, extension: Path) -> Installed:
    """Install, update or repair the runtime. `extension` holds the engine's code, for the self-test.

    Raises:
        EngineError: what can't be downloaded, installed or run.
        OutputError: what the disk refuses.
        Cancelled: on request; the next call goes on with what was downloaded.
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
    """All that the engine needs, in a new virtual environment `folder`; returns the build of torch and its version.

    Args:
        downloads: keeps what is downloaded, whatever happens.
        log: pip's words are added to it.

    Raises:
        EngineError, OutputError, Cancelled: as `install`.
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
    """Bring all files of an installation into `folder`, for a computer without a network that is like this one.

    Raises:
        EngineError, OutputError, Cancelled: as `install`.
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
    """An environment that can build packages, the build of torch, and all packages of the engine."""
    environment = VirtualEnvironment(folder, bring_wheel(downloads, plan.wheels, watch), plan.wheels, log)
    watch.progress("Making a virtual environment", 0.0)
    environment.make(python, watch)
    # What exists as source only (antlr4, iopath, sam2) is built with these, once its hash was compared.
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
    # What only other builds bring along has other versions than CUDA 13's.
    files = [pins.ENGINE, pins.CUDA] if build in (CUDA, PYPI_CUDA) else [pins.ENGINE]
    options = [part for file in files for part in ("-c", str(pins.REQUIREMENTS / file))]
    if build.index and plan.wheels is None:
        options += ["--index", build.index]
    with_torch = environment.resolve([wanted], ["--only-binary", ":all:", *options], watch)
    packages += [package for package in with_torch if pins.normal(package.name) not in names]
    # A registry of one's own may have another build than the default one.
    local = next(package.version for package in packages if package.name == "torch").partition("+")[2]
    build = next((build for build in CHOICES.values() if build.local == local), build)
    refuse_other(machine, choice.builds[0], build, sum(sizes_of(packages)), plan.agreed)
    plan.check(build)
    return environment, build, packages


def bring(packages: Sequence[Package], downloads: Path, watch: Watch) -> list[Path]:
    """Download and check `packages`; returns their files.

    Raises:
        EngineError: one can't be downloaded, or is not the file that was pinned.
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
    """Raises EngineError: it is not a pinned file.

    Some of PyTorch's own builds, and what only they bring along, have no hash in our pins: the exact version is asked
    for, and the hash is what PyTorch's index says over TLS, or that of the file in a folder which the person named.
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
    """Bytes to download of each; 0 for what lies on this machine. Raises EngineError."""
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
            f"The server does not say how large it is: {error}.", where=package.url, hint="Try again later."
        ) from None


def _settle(plan: InstallPlan, machine: Machine, choice: Choice, python: Python, watch: Watch) -> Build:
    """The best build that can be had. Raises EngineError, Cancelled."""
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
    """A part of another watch's whole: its 0..1 is `start`..`end` there."""

    def __init__(self, watch: Watch, start: float, end: float) -> None:
        self._watch = watch
        self._start = start
        self._length = end - start

    def progress(self, words: str, fraction: float) -> None:
        """As Watch."""
        self._watch.progress(words, self._start + self._length * min(1.0, fraction))

    def note(self, words: str) -> None:
        """As Watch."""
        self._watch.note(words)

    def stopping(self) -> bool:
        """As Watch."""
        return self._watch.stopping()


# --- the folders


def _next_folder(runtimes: Path) -> Path:
    numbers = [int(path.name) for path in runtimes.iterdir() if path.name.isdecimal()]
    return runtimes / str(max(numbers, default=0) + 1)


def _make_current(folder: Path) -> None:
    write_file(folder.with_name(CURRENT), lambda file: write_bytes(file, folder.name.encode()))


def _remove_unused(runtimes: Path) -> None:
    """Runtimes that are not the current one. What the engine of another Blender runs from goes next time."""
    current = current_runtime(runtimes)
    for path in runtimes.iterdir():
        if path.name.isdecimal() and path != current and not is_used(path):
            discard(path)


def remove(folder: Path, watch: Watch) -> None:
    """Remove the runtime of the data folder `folder`; checkpoints stay. Raises OutputError."""
    runtimes = folder / "runtime"
    with _writing(runtimes), only_one(folder / "runtime.lock", "installing the engine", watch):
        patiently(lambda: (runtimes / CURRENT).unlink(missing_ok=True))
        remove_folder(runtimes)


def move(folder: Path, target: Path, watch: Watch) -> None:
    """Move runtime and checkpoints from one data folder to another, which may be on another disk.

    They are copied, the copy is complete, then the originals are removed: whatever fails before that changes nothing.

    Raises:
        OutputError: what the disk refuses; something is there already.
        Cancelled: on request.
    """
    if target == folder or folder in target.parents or target in folder.parents:
        raise OutputError("Choose a folder that is neither inside the old one nor around it.", where=str(target))
    rooms = [name for name in ("runtime", "checkpoints") if (folder / name).exists()]
    for name in rooms:
        if (target / name).exists():
            raise OutputError("There is one already.", where=str(target / name), hint="Choose another folder.")
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
    """Makes `folder`; turns an OSError into an OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise OutputError(
            f"It can't be written: {error.strerror or error}.",
            where=os.fspath(error.filename or folder),
            hint="Allow writing there, free some space, or choose another Data Folder in the preferences.",
        ) from None
