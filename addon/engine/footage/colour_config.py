"""OpenColorIO configs as files: what they name, and a hash of all of it, wherever it lies.

A copy on a farm's worker has the hash of its original, and another config of the same path has another.
"""

from __future__ import annotations

import functools
import hashlib
import re
from pathlib import Path

from ...contract.boundary import reading
from ...contract.errors import JobError

_MAX_CONFIG = 64 * 1024 * 1024  # bytes; of an archive (.ocioz) too, which has its files inside
_MAX_FILE = 1024 * 1024 * 1024  # bytes of a file that is named
# FileTransform: `src: name`, plain or quoted; `search_path: a:b`, or a list. The syntax is YAML's, of which configs use
# little, and whose parser in Python takes seconds for a studio's config.
_SOURCE = re.compile(rb"""\bsrc:[ \t]*("[^"\n]*"|'[^'\n]*'|[^\s,}#][^,}\n]*)""")
_SEARCH = re.compile(rb"(?m)^search_path:[ \t]*(.*(?:\r?\n[ \t]*-[ \t].*)*)")
_FOLDER = re.compile(r"""(?:\b[A-Za-z]:[\\/])?[^:\[\],"'\n\r]+""")  # a drive's colon separates nothing


def named_files(config: Path) -> dict[str, Path | None]:
    """The files that a config's text names, as it names them; None: there is no such file. Raises JobError."""
    return _named(_content(config), config)


def digest(config: str) -> str:
    """A sha256 of a config's content and of the files that it names.

    Raises JobError: it can't be read; or it has changed since this process has read it first, as OpenColorIO goes on
    with what it has read.
    """
    then, files, seen = _first(config)
    if _states(files) != seen:
        raise JobError(
            "The colour config, or a file that it names, has changed since the engine has read it.",
            where=config,
            hint="Restart the engine.",
        )
    return then


@functools.cache
def _first(config: str) -> tuple[str, tuple[Path, ...], tuple[tuple[int, int] | None, ...]]:
    path = Path(config)
    content = _content(path)
    named = _named(content, path)
    files = (path, *(file for file in named.values() if file))
    seen = _states(files)
    found = hashlib.sha256(content)
    for name, file in sorted(named.items()):
        found.update(f"\n{name}\n{_hash(file) if file else 'missing'}".encode())
    return found.hexdigest(), files, seen


def _content(config: Path) -> bytes:
    with reading(JobError, "The colour config can't be read", where=str(config), hint="Name another one."):
        if config.stat().st_size > _MAX_CONFIG:
            raise ValueError(f"it is larger than {_MAX_CONFIG:,} bytes")
        return config.read_bytes()


def _named(content: bytes, config: Path) -> dict[str, Path | None]:
    search = _SEARCH.search(content)
    words = [word.strip() for word in _FOLDER.findall(search[1].decode(errors="replace"))] if search else []
    folders = [config.parent / word.removeprefix("- ") for word in words if word] + [config.parent]
    found: dict[str, Path | None] = {}
    for match in _SOURCE.finditer(content):
        name = match[1].decode(errors="replace").strip().strip("\"'")
        found[name] = next((folder / name for folder in folders if (folder / name).is_file()), None)
    return found


def _states(files: tuple[Path, ...]) -> tuple[tuple[int, int] | None, ...]:
    def state(file: Path) -> tuple[int, int] | None:
        try:
            status = file.stat()
        except OSError:
            return None
        return status.st_size, status.st_mtime_ns

    return tuple(map(state, files))


def _hash(file: Path) -> str:
    with reading(JobError, "A file of the colour config can't be read", where=str(file)):
        if file.stat().st_size > _MAX_FILE:
            raise ValueError(f"it is larger than {_MAX_FILE:,} bytes")
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
