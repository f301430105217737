"""A virtual environment that uv makes and fills.

uv chooses the files (their addresses, sizes and hashes) and installs them. This program downloads them in between, as
uv does not resume a file in its next run and reports no progress (measured with 0.13.8). No code of a package runs
before its file has been verified: choosing builds nothing, and uv compares the hash before it builds a source archive.
"""

from __future__ import annotations

import os
import shutil
import tomllib
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..contract.disk import discard, patiently
from ..contract.errors import EngineError, OutputError
from ..runtime.locate import runtime_python
from ..runtime.watch import Watch
from .child import run
from .pythons import Python
from .uv import pip_settings, registry, unpack, uv_environment


@dataclass(frozen=True, slots=True)
class Package:
    """A file that uv installs.

    sha256: the hash that its source states or that uv computed.
    size: size in bytes that its source states; 0 if it does not.
    """

    name: str
    version: str
    url: str
    sha256: str
    size: int = 0

    @property
    def file(self) -> str:
        """Its name."""
        return Path(urllib.parse.unquote(urllib.parse.urlsplit(self.url).path)).name

    @property
    def path(self) -> Path | None:
        """The path of the file, if it is on this machine already."""
        parts = urllib.parse.urlsplit(self.url)
        return Path(urllib.request.url2pathname(parts.path)) if parts.scheme == "file" else None


class VirtualEnvironment:
    """A virtual environment in `folder`, which `make` makes.

    Args:
        folder: the folder of the environment.
        uv: the wheel of uv.
        wheels: a folder with all files; None: they come from the registries in pip's settings.
        log: the file to which uv's output is added.

    Attributes:
        build_tools: the files of uv and of the build tools, once these are installed.
    """

    def __init__(self, folder: Path, uv: Path, wheels: Path | None, log: Path) -> None:
        self.folder = folder
        self.build_tools: list[Path] = [uv]
        self._wheel = uv
        self._log = log
        self._scratch = folder / "scratch"
        self._environment = uv_environment() | {
            "UV_CACHE_DIR": str(self._scratch / "cache"),
            "SAM2_BUILD_CUDA": "0",  # sam2's own switch for a CUDA extension that nothing here uses
            **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self._scratch)),
        }
        if wheels is not None:
            self._sources = ["--no-index", "--find-links", str(wheels)]
        else:
            self._sources = registry(pip_settings(), self._environment)

    def make(self, python: Python, watch: Watch) -> None:
        """Make the environment, replacing an old one. Raises EngineError, OutputError or Cancelled."""
        remove_folder(self.folder)
        self._scratch.mkdir(parents=True)
        self._uv = unpack(self._wheel, self._scratch)
        self._run(["venv", "--allow-existing", "--python", str(python.path), str(self.folder)], watch)

    def resolve(self, requirements: Sequence[str], options: Sequence[str], watch: Watch) -> list[Package]:
        """The files that uv would install for `requirements` on this system. Raises EngineError or Cancelled."""
        wanted, lock = self._scratch / "wanted.txt", self._scratch / "pylock.toml"
        wanted.write_text("\n".join(requirements), encoding="utf-8")
        arguments = ["pip", "compile", "--quiet", "--format", "pylock.toml", "--output-file", str(lock), "--upgrade"]
        arguments += ["--python", str(runtime_python(self.folder)), *self._sources, *options, str(wanted)]
        self._run(arguments, watch)
        return [_package(table) for table in tomllib.loads(lock.read_text(encoding="utf-8"))["packages"]]

    def install(
        self, files: Sequence[tuple[Package, Path]], watch: Watch, tell: Callable[[int], None] = lambda _: None
    ) -> None:
        """Install these files; `tell` is called with the number of unpacked ones. Raises EngineError or Cancelled."""
        wanted = self._scratch / "install.txt"
        lines = [f"{package.name} @ {path.as_uri()} --hash=sha256:{package.sha256}\n" for package, path in files]
        wanted.write_text("".join(lines), encoding="utf-8")
        arguments = ["pip", "install", "--no-index", "--no-deps", "--require-hashes", "--no-build-isolation"]
        arguments += ["--python", str(runtime_python(self.folder)), "-r", str(wanted)]
        before = self._unpacked()
        self._run(arguments, watch, lambda: tell(self._unpacked() - before))

    def clean(self) -> None:
        """Remove files that were needed only for the installation."""
        discard(self._scratch)

    def _unpacked(self) -> int:
        return len(list((self._scratch / "cache").glob("archive-v*/*")))

    def _run(self, arguments: Sequence[str], watch: Watch, tick: Callable[[], None] = lambda: None) -> None:
        """Run uv without any of the user's settings."""
        options = ["--no-config", "--no-progress", "--color", "never", "--no-python-downloads"]
        command = [str(self._uv), *options, *arguments]
        with self._log.open("ab") as log:
            log.write(f"\n$ uv {' '.join(arguments)}\n".encode())
            log.flush()
            began = log.tell()
            code = run(command, log, self._environment, watch, self._scratch, tick)
        if code:
            with self._log.open("rb") as written:
                written.seek(began)
                raise explain(written.read().decode("utf-8", "replace"), code, self._log)


def explain(said: str, code: int, log: Path) -> EngineError:
    """The error for a failure of uv. The reason is uv's first and last message ("error: ..." and "cause: ...")."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    told = [line.partition(": ")[2] for line in lines if line.startswith(("error: ", "cause: "))]
    hint = f"Try again: what is downloaded is kept. The log is {log}."
    if mismatch := next((line for line in told if line.startswith("Hash mismatch for ")), ""):
        package, _, url = mismatch.split("`")[1].partition(" @ ")
        return another_file(package, urllib.parse.unquote(url.rpartition("/")[2]))
    if any("certificate" in line.lower() for line in told):
        hint = "Name the file with your proxy's certificate in SSL_CERT_FILE, and start Blender again. " + hint
    elif any("Failed to fetch" in line or "client error" in line for line in told):
        hint = "Check the connection and the proxy. " + hint
    elif any("No solution found" in line for line in told):
        hint = f"No file there fits this system and its Python: look at its name. The log is {log}."
    reason = " ".join(line.rstrip(".") + "." for line in dict.fromkeys([*told[:1], *told[-1:]]))
    return EngineError(f"It can't be installed. {reason or f'uv ended with {code}.'}", where="uv", hint=hint)


def another_file(package: str, file: str) -> EngineError:
    """The error for a file whose sha256 is not one of the pinned ones."""
    return EngineError(
        f"This is not the {package} that was published: its sha256 is another.",
        where=file,
        hint="Get the file again. If this happens again, a proxy or a filter changes downloads.",
    )


def _package(entry: dict[str, Any]) -> Package:
    """The file of an entry in a lock file (PyPA, "pylock.toml Specification"): its wheel or source archive."""
    file = (entry.get("wheels") or [entry.get("sdist")])[0]
    return Package(entry["name"], entry["version"], file["url"], file["hashes"]["sha256"], file.get("size", 0))


def remove_folder(folder: Path) -> None:
    """Delete `folder` if it exists. Raises OutputError."""
    try:
        if folder.exists():
            patiently(lambda: shutil.rmtree(folder))
    except OSError as error:
        raise OutputError(
            f"This file or folder can't be removed: {error.strerror}.",
            where=os.fspath(error.filename or folder),
            hint="Close the program that uses it, perhaps another Blender.",
        ) from None
