"""A virtual environment, and pip in it.

pip is the pinned one, run from its wheel: the Python need not have any (Debian's has none), and all machines behave the
same. Only our own requirements are ever installed, with exact versions and without dependencies.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..contract.errors import EngineError, OutputError
from ..runtime.locate import runtime_python
from ..runtime.processes import HIDDEN, quiet_environment, run_quietly
from ..runtime.watch import Watch
from .download import download, sha256_of
from .pythons import Python

PIP_FILE = "pip-26.3-py3-none-any.whl"
PIP_URL = f"https://files.pythonhosted.org/packages/07/25/ee8c38ae72d66b844ce8eb9711ba905dba21ca1a8a0c960057c41cd23337/{PIP_FILE}"
PIP_BYTES = 1_950_951
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"

_TICK = 0.2  # seconds
_GRACE = 5.0


@dataclass(frozen=True, slots=True)
class Package:
    """A file that pip would install. `sha256` is what its source says; empty if that says nothing."""

    name: str
    version: str
    url: str
    sha256: str

    @property
    def file(self) -> str:
        """Its name."""
        return Path(urllib.parse.unquote(urllib.parse.urlsplit(self.url).path)).name

    @property
    def path(self) -> Path | None:
        """Where it lies, if it is on this machine already."""
        parts = urllib.parse.urlsplit(self.url)
        return Path(urllib.request.url2pathname(parts.path)) if parts.scheme == "file" else None


def bring_pip(downloads: Path, wheels: Path | None, watch: Watch) -> Path:
    """The pinned pip's wheel, from the folder of wheels or the registry, or else the one inside this Python.

    Raises:
        EngineError: there is none.
    """
    if wheels is not None and (found := wheels / PIP_FILE).is_file() and sha256_of(found) == PIP_SHA256:
        return found
    failure = EngineError(f"There is no {PIP_FILE} in it.", where=str(wheels), hint="Put it there.")
    if wheels is None:
        try:
            download(PIP_URL, downloads / PIP_FILE, PIP_BYTES, PIP_SHA256, watch, EngineError)
            return downloads / PIP_FILE
        except EngineError as error:
            failure = error  # a registry of one's own perhaps, which only pip's settings know
    bundled = _bundled_pip()
    if bundled is None:
        raise failure
    return bundled


def _bundled_pip() -> Path | None:
    try:
        import ensurepip
    except ImportError:
        return None
    found = sorted((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
    return found[-1] if found else None


class VirtualEnvironment:
    """One in `folder`, made by `make`; what pip says goes to the file `log`.

    build_tools: the files of what builds packages, once it is installed.
    """

    def __init__(self, folder: Path, pip: Path, log: Path) -> None:
        self.folder = folder
        self.build_tools: list[Path] = []
        self._wheel = pip
        self._log = log
        self._scratch = folder / "scratch"
        self._pip = self._scratch / "tool"

    def make(self, python: Python) -> None:
        """Make it anew. Raises EngineError, OutputError."""
        remove_folder(self.folder)
        run_quietly([str(python.path), "-m", "venv", "--without-pip", str(self.folder)])
        self._scratch.mkdir()
        with zipfile.ZipFile(self._wheel) as archive:  # out of the zip it is compiled once and starts faster
            archive.extractall(self._pip)

    def resolve(self, arguments: Sequence[str], watch: Watch) -> list[Package]:
        """The files that `pip install ARGUMENTS` would take. Raises EngineError, Cancelled."""
        report = self._scratch / "report.json"
        options = ["--dry-run", "--ignore-installed", "--no-build-isolation", "--report", str(report)]
        self._run([*options, *arguments], watch)
        return [_package(each) for each in json.loads(report.read_text(encoding="utf-8"))["install"]]

    def install(self, files: Sequence[Path], watch: Watch, tell: Callable[[int], None] = lambda _: None) -> None:
        """Install these very files; `tell` gets how many are done. Raises EngineError, Cancelled."""
        before = self._count()
        options = ["--no-deps", "--no-index", "--no-build-isolation"]
        self._run([*options, *map(str, files)], watch, lambda: tell(self._count() - before))

    def clean(self) -> None:
        """Remove what was needed only to make it."""
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _count(self) -> int:
        sites = ("lib/python*/site-packages", "Lib/site-packages")
        return len({each.name for site in sites for each in self.folder.glob(f"{site}/*.dist-info")})

    def _run(self, arguments: Sequence[str], watch: Watch, tick: Callable[[], None] = lambda: None) -> None:
        """`pip install ARGUMENTS`."""
        options = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--no-cache-dir"]
        command = [str(runtime_python(self.folder)), str(self._pip / "pip"), "install", *options, *arguments]
        # SAM2_BUILD_CUDA: sam2's own switch for a CUDA extension that nothing here uses.
        environment = quiet_environment() | {"SAM2_BUILD_CUDA": "0"}
        environment |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self._scratch))
        with self._log.open("ab") as log:
            began = log.tell()
            log.write(f"\n$ pip install {' '.join(arguments)}\n".encode())
            log.flush()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=self._scratch,
                creationflags=HIDDEN,
            )
            try:
                while _still_runs(process):
                    watch.check()
                    tick()
            finally:
                _end(process)
        if process.returncode:
            raise self._failure(began, process.returncode)

    def _failure(self, began: int, code: int) -> EngineError:
        with self._log.open("rb") as log:
            log.seek(began)
            lines = log.read().decode("utf-8", "replace").splitlines()
        errors = [line for line in lines if line.startswith("ERROR:")]
        reason = errors[-1].removeprefix("ERROR:").strip() if errors else f"pip ended with {code}"
        hint = f"Try again: what is downloaded is kept. The log is {self._log}."
        if "No matching distribution" in reason:
            hint = f"No file there fits this system and its Python: look at its name. The log is {self._log}."
        return EngineError(f"It can't be installed: {reason.rstrip('.')}.", where="pip", hint=hint)


def _still_runs(process: subprocess.Popen[bytes]) -> bool:
    """Waits for a moment."""
    try:
        process.wait(_TICK)
    except subprocess.TimeoutExpired:
        return True
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        deadline = time.monotonic() + _GRACE
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(_TICK / 4)
        process.kill()
        process.wait()


def _package(entry: dict[str, Any]) -> Package:
    """From pip's installation report (pip documentation, "Installation Report", version 1)."""
    info = entry["download_info"]
    hashes = info.get("archive_info", {}).get("hashes", {})
    return Package(entry["metadata"]["name"], entry["metadata"]["version"], info["url"], hashes.get("sha256", ""))


def remove_folder(folder: Path) -> None:
    """Delete `folder` if it is there. Raises OutputError."""
    try:
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise OutputError(
            f"It can't be removed: {error.strerror}.",
            where=os.fspath(error.filename or folder),
            hint="Close what uses it, another Blender perhaps.",
        ) from None
