"""Checking whether one of PyTorch's indexes can be reached and has a build for this computer."""

from __future__ import annotations

import re
import threading
import urllib.request

from ..runtime.watch import Watch
from .download import open_url
from .pins import version_of
from .torch_build import Build, Machine

_PATIENCE = 8.0  # seconds
_TICK = 0.1


def has_torch(machine: Machine, python: tuple[int, int], build: Build, watch: Watch) -> bool:
    """Whether the index of `build` offers the engine's torch for this system and Python, and answers within seconds.

    The default registry is not asked and always counts, as only the settings of pip and uv know which one it is. Raises
    Cancelled.
    """
    if not build.index:
        return True
    tag = f"cp{python[0]}{python[1]}"
    processor = "amd64" if machine.platform == "win32" else {"arm64": "aarch64"}.get(machine.processor, "x86_64")
    torch = re.escape(f"torch-{version_of('torch')}")
    return index_offers(build.index, rf"{torch}[^<>\"]*-{tag}-{tag}-[^<>\"]*{processor}\.whl", watch)


def index_offers(index: str, pattern: str, watch: Watch, patience: float = _PATIENCE) -> bool:
    """Whether the page of torch at `index` names a file that matches the regular expression `pattern`."""
    found = threading.Event()
    finished = threading.Event()

    def ask() -> None:
        try:
            with open_url(urllib.request.Request(f"{index}/torch/"), patience) as answer:
                page = answer.read().decode("utf-8", "replace")
            if re.search(pattern, page):
                found.set()
        except (OSError, ValueError):
            pass
        finished.set()

    # In a thread, as looking up a name has no time limit and can take half a minute without a network.
    threading.Thread(target=ask, daemon=True).start()
    for _ in range(round(patience / _TICK)):
        watch.check()
        if finished.wait(_TICK):
            break
    return found.is_set()
