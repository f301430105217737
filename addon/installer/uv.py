"""The pinned uv, from a folder of wheels or a registry, and its settings for the user's network.

uv is one program in a wheel, which is the same for every Python. The wheel is verified and unpacked, and removed after
the installation.
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
_PATIENCE = 120.0  # seconds until pip must have printed its settings; it starts slowly on a busy computer


@dataclass(frozen=True, slots=True)
class _Wheel:
    """A wheel of uv. tag: the end of its name; folder: its folder in the registry; bytes: its size."""

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
        """Its address in the default registry."""
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
    """The verified wheel of uv for this system, from the folder of wheels or downloaded.

    Raises:
        EngineError: there is no wheel for this system, or it is not the pinned file.
        OutputError, Cancelled: see `download`.
    """
    wheel = _WHEELS.get((sys.platform, platform.machine()))
    if wheel is None:
        raise EngineError(f"The engine can't be installed on {sys.platform}, {platform.machine()}.")
    if wheels is not None:
        found = wheels / wheel.file
        if not found.is_file():
            raise EngineError(f"There is no {wheel.file} in this folder.", where=str(wheels), hint="Put it there.")
        if sha256_of(found) != wheel.sha256:
            raise EngineError("The sha256 of this file is not that of the published one.", where=str(found))
        return found
    target = downloads / wheel.file
    try:
        download(wheel.url, target, wheel.bytes, wheel.sha256, watch, EngineError)
    except EngineError:
        # Perhaps only a private registry can be reached, which is in pip's settings.
        if not (_download_by_pip(downloads, watch) and target.is_file() and sha256_of(target) == wheel.sha256):
            raise
    return target


def unpack(wheel: Path, folder: Path) -> Path:
    """Unpack the program in uv's wheel to `folder`. Returns its path."""
    name = "uv.exe" if sys.platform == "win32" else "uv"
    with zipfile.ZipFile(wheel) as archive:
        data = archive.read(f"uv-{VERSION}.data/scripts/{name}")
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_bytes(data)
    program.chmod(0o755)
    return program


def uv_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment variables for uv: the system's proxies, but no setting that changes more than where files are."""
    kept = ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")
    result = {
        name: value
        for name, value in quiet_environment(environ).items()
        if not name.startswith("UV_") or name.startswith(kept)
    }
    for scheme, proxy in urllib.request.getproxies().items():  # on Windows and macOS from the system's settings
        name = "NO_PROXY" if scheme == "no" else f"{scheme.upper()}_PROXY"
        if name not in result and name.lower() not in result:
            result[name] = proxy
    return result


def registry(settings: Mapping[str, str], environment: dict[str, str]) -> list[str]:
    """uv's options for the registries in pip's settings. Certificates and proxy are added to `environment`."""
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
    """pip's settings on this computer, from its files and variables; empty if there is no pip.

    Raises:
        EngineError: pip does not answer.
    """
    command = _pip()
    if command is None:
        return {}
    try:
        done = hear([*command, "config", "list"], patience=_PATIENCE)
    except subprocess.TimeoutExpired:
        # Without them uv would use another registry and another build of torch: gigabytes instead of megabytes.
        raise EngineError(
            f"pip did not print its settings within {_PATIENCE:g} seconds.",
            where="pip config list",
            hint="Try again when the computer is less busy.",
        ) from None
    except OSError:
        return {}
    return read_pip_settings(done.stdout)


def read_pip_settings(text: str) -> dict[str, str]:
    """Parse lines such as global.index-url='https://...'. Settings for `install` and from variables take precedence."""
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
    """Download uv's wheel with pip, if there is one. Returns whether that worked. Raises Cancelled."""
    command = _pip()
    if command is None:
        return False
    command += ["download", "--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check"]
    command += ["-d", str(downloads), f"uv=={VERSION}"]
    with (downloads / "pip.log").open("wb") as log:
        return run(command, log, quiet_environment(), watch) == 0


def _pip() -> list[str] | None:
    """The command that starts pip: this Python's own, or else the one in its ensurepip; None if there is none."""
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
