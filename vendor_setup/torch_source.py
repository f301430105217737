"""Where this machine's torch comes from.

torch is published in several builds under one version. The default registry has CUDA's for Linux and the CPU's for
Windows and macOS (Apple's GPU included); PyTorch's own index has each apart, the CPU build at a tenth of the size.
The pin has no local tag, so whatever build a registry offers satisfies it.
"""

from __future__ import annotations

import shutil
import sys
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
CUDA_INDEX = "https://download.pytorch.org/whl/cu130"  # the CUDA that the pinned torch has on the default registry
PATIENCE = 5.0  # seconds


def choose_index(platform: str, nvidia: bool, answers: Callable[[str], bool]) -> str | None:
    """The index that torch alone is taken from; None = the default registry, whatever build that has.

    Args:
        platform: as sys.platform.
        nvidia: whether there is an NVIDIA driver.
        answers: whether an index can be reached.
    """
    if platform == "darwin" or (nvidia and platform != "win32"):
        return None
    wanted = CUDA_INDEX if nvidia else CPU_INDEX
    return wanted if answers(wanted) else None


def has_nvidia() -> bool:
    """Whether an NVIDIA driver is installed."""
    return shutil.which("nvidia-smi") is not None or (
        sys.platform == "linux" and Path("/proc/driver/nvidia/version").exists()
    )


def index_answers(index: str, patience: float = PATIENCE) -> bool:
    """Whether `index` has a page for torch and says so within `patience` seconds."""
    found = threading.Event()
    finished = threading.Event()

    def ask() -> None:
        try:
            request = urllib.request.Request(f"{index}/torch/", method="HEAD")
            with urllib.request.urlopen(request, timeout=patience):
                found.set()
        except OSError:
            pass
        finished.set()

    # In a thread: looking up a name has no time limit of its own, and can take half a minute without a network.
    threading.Thread(target=ask, daemon=True).start()
    finished.wait(patience)
    return found.is_set()
