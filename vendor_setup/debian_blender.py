"""A real Blender and the tools that operate its window, from Debian's packages in a separate folder, for `test gui`.

It is set up once in .runtime/blender, which takes about three minutes and needs root, as debootstrap and chroot do.
Commands run in mount namespaces of their own, so that nothing stays mounted. Debian unstable has Blender's current
release. Its packages are signed by Debian. Debian keeps no older versions, so this Blender can't be pinned.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from addon.contract.errors import EngineError
from addon.runtime.lock import only_one
from addon.runtime.processes import run_quietly

from .environments import ENGINE, REQUIREMENTS, ROOT, RUNTIME, python_of
from .say import SayWatch, say

_FOLDER = RUNTIME / "blender"
_SUITE = "sid"
_MIRROR = "http://deb.debian.org/debian"
_PACKAGES = (
    *("blender", "ca-certificates", "fonts-dejavu-core", "imagemagick", "xauth", "xdotool", "xvfb"),
    *("libegl-mesa0", "libgl1-mesa-dri", "libglx-mesa0"),  # renders without a GPU
    *("python3-numpy", "python3-requests", "python3-zstandard"),  # recommended packages that Blender imports
)
_PINS = REQUIREMENTS / "blender.txt"  # packages that Blender's extension manager imports and Debian lacks
_STAMP = "ready.txt"
_APT = Path("/etc/apt")
_RECIPE = "\n".join((_SUITE, *_PACKAGES))


def obstacle() -> str:
    """Why it can't be set up on this machine; empty if it can."""
    if sys.platform != "linux":
        return "a Debian Blender runs on Linux only"
    if os.geteuid() != 0:
        return "a Debian Blender is set up and started as root"
    if not _is_ready() and shutil.which("debootstrap") is None and shutil.which("apt-get") is None:
        return "a Debian Blender is set up with debootstrap"
    try:
        run_quietly(["unshare", "--mount", "chroot", "/", "true"])
    except EngineError as error:
        return f"a Debian Blender needs mounts of its own ({error.message})"
    return ""


def prepare() -> None:
    """Set it up unless it is there. Raises EngineError."""
    _FOLDER.parent.mkdir(exist_ok=True)
    with only_one(_FOLDER.with_name(f"{_FOLDER.name}.lock"), "blender", SayWatch()):
        if _is_ready():
            return
        say(f"Setting up Blender from Debian's packages in {_FOLDER} (once; about three minutes) ...")
        shutil.rmtree(_FOLDER, ignore_errors=True)
        if shutil.which("debootstrap") is None:
            run_quietly(["apt-get", "update", "-q"])
            run_quietly(["apt-get", "install", "-y", "-q", "--no-install-recommends", "debootstrap"])
        run_quietly(["debootstrap", "--variant=minbase", _SUITE, str(_FOLDER), _mirror()])
        for file in sorted((_APT / "apt.conf.d").glob("*")):  # this machine's settings for the mirror, such as a proxy
            shutil.copy(file, _FOLDER / "etc/apt/apt.conf.d")
        install = "DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends"
        run_quietly(command(["sh", "-c", f"apt-get update -q && {install} {' '.join(_PACKAGES)} && apt-get clean"]))
        version = "import sys; print('%d.%d' % sys.version_info[:2])"
        python = run_quietly(command(["/usr/bin/python3", "-c", version])).strip()  # Debian's own, whatever is on PATH
        site = _FOLDER / f"usr/local/lib/python{python}/dist-packages"
        pip = [str(python_of(ENGINE)), "-m", "pip", "install", "--no-input", "-q", "--no-deps", "--require-hashes"]
        run_quietly([*pip, "--only-binary=:all:", "--target", str(site), "-r", str(_PINS)])
        (_FOLDER / _STAMP).write_text(_recipe(), encoding="utf-8")
        say(run_quietly(command(["blender", "--version"])).splitlines()[0])


def command(arguments: Sequence[str], places: Mapping[Path, Path] = MappingProxyType({})) -> list[str]:
    """The command that runs `arguments` inside, with the checkout, the engine and the temporary folder visible.

    places: folders that are seen elsewhere, too.
    """
    lines = ["set -e"]
    linked = [str(RUNTIME.resolve())] if RUNTIME.is_symlink() else []  # shared by several checkouts
    seen = ("/proc", "/dev", str(ROOT), str(Path(tempfile.gettempdir()).resolve()), *linked, *_engine_places())
    for path, place in (*((Path(path), Path(path)) for path in seen), *places.items()):
        inside = shlex.quote(f"{_FOLDER}{place}")
        make = f"mkdir -p {inside}" if path.is_dir() else f"touch {inside}"
        lines += [make, f"mount --rbind {shlex.quote(str(path))} {inside}"]
    # the first argument after the script is $0
    lines.append(f'exec chroot {shlex.quote(str(_FOLDER))} sh -c \'cd "$1" && shift && exec "$@"\' sh "$@"')
    script = "\n".join(lines)
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", str(ROOT), *arguments]


def _engine_places() -> list[str]:
    """The folders of the engine's Python, without /usr, because Blender's root has its own."""
    if not python_of(ENGINE).exists():
        return []
    code = "import os, sys, sysconfig; print(sys.prefix, sys.base_prefix, sysconfig.get_path('stdlib'), sep='\\n')"
    prefix, base, library = run_quietly([str(python_of(ENGINE)), "-c", code]).splitlines()
    own = [base] if base != "/usr" else [library, str(python_of(ENGINE).resolve())]
    return [os.path.realpath(folder) for folder in (prefix, *own)]


def _is_ready() -> bool:
    try:
        return (_FOLDER / _STAMP).read_text(encoding="utf-8") == _recipe()
    except OSError:
        return False


def _recipe() -> str:
    return f"{_RECIPE}\n{_PINS.read_text(encoding='utf-8')}"


def _mirror() -> str:
    """The mirror from which this machine's own packages come, if it is a Debian."""
    for file in (_APT / "sources.list", *sorted((_APT / "sources.list.d").glob("*"))):
        if file.is_file() and (found := re.search(r"https?://\S+/debian/?(?=\s)", file.read_text(encoding="utf-8"))):
            return found[0]
    return _MIRROR
