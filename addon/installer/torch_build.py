"""Which build of torch a machine gets.

torch is published in several builds under one version. The default registry has CUDA 13's for Linux, the CPU's for
Windows, and Apple's; PyTorch's own indexes have each apart, the CPU build at a tenth of CUDA's size.

What a driver can do: NVIDIA, CUDA Toolkit Release Notes (table "CUDA Toolkit and Minimum Required Driver Version" and
minor version compatibility). CUDA 13 has no kernels for GPUs before Turing (compute capability 7.5).
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..runtime.processes import HIDDEN
from .download import open_url
from .pins import version_of

_PYTORCH = "https://download.pytorch.org/whl"
_PATIENCE = 8.0  # seconds

CUDA_13 = ((580,), (580,))  # oldest driver on Linux, on Windows
CUDA_12 = ((525, 60), (528, 33))
TURING = (7, 5)


@dataclass(frozen=True, slots=True)
class Build:
    """One build of torch.

    local: what follows the version in its own index (2.13.0+cpu); empty: the default registry's.
    download, disk: bytes of the whole engine with it, about.
    """

    name: str
    words: str
    local: str
    download: int
    disk: int

    @property
    def index(self) -> str:
        """Its own index; empty: the default registry."""
        return f"{_PYTORCH}/{self.local}" if self.local else ""


_MB = 1_000_000
CPU = Build("cpu", "the CPU", "cpu", 360 * _MB, 1_400 * _MB)
CUDA = Build("cu130", "NVIDIA GPUs (CUDA 13.0)", "cu130", 2_600 * _MB, 6_200 * _MB)
OLD_CUDA = Build("cu126", "NVIDIA GPUs (CUDA 12.6)", "cu126", 2_900 * _MB, 6_500 * _MB)
ROCM = Build("rocm7.2", "AMD GPUs (ROCm 7.2)", "rocm7.2", 5_000 * _MB, 17_000 * _MB)
APPLE = Build("apple", "Apple's GPUs and CPUs", "", 240 * _MB, 900 * _MB)
PYPI_CUDA = Build("pypi-cuda", "NVIDIA GPUs (CUDA 13.0) and the CPU", "", 2_600 * _MB, 6_200 * _MB)
PYPI_CPU = Build("pypi-cpu", "the CPU", "", 360 * _MB, 1_400 * _MB)

CHOICES = {"cpu": CPU, "cu130": CUDA, "cu126": OLD_CUDA, "rocm7.2": ROCM}


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides.

    platform: as sys.platform.
    driver: NVIDIA's version; () = there is none, or it does not say.
    nvidia: whether there is one.
    capability: of the oldest NVIDIA GPU; () = unknown.
    amd: whether there is an AMD GPU that ROCm can use.
    intel_mac: whether it is a Mac without an Apple processor.
    """

    platform: str
    nvidia: bool = False
    driver: tuple[int, ...] = ()
    capability: tuple[int, ...] = ()
    amd: bool = False
    intel_mac: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """Builds to try, best first, and what the person should know about it."""

    builds: tuple[Build, ...]
    note: str = ""


def choose(machine: Machine, wish: str = "auto") -> Choice:
    """The builds for `machine`; `wish` is "auto" or a name of CHOICES, which is then the only one."""
    if machine.intel_mac:
        return Choice((APPLE,), "PyTorch no longer runs on Macs with an Intel processor: it can't be installed here.")
    default = {"darwin": APPLE, "win32": PYPI_CPU}.get(machine.platform, PYPI_CUDA)
    if wish == "cpu":
        return Choice((default,) if default is APPLE else (CPU, default))
    if wish != "auto":
        # The default registry's Linux build is CUDA 13's too.
        return Choice((CHOICES[wish], default) if wish == "cu130" and default is PYPI_CUDA else (CHOICES[wish],))
    if machine.platform == "darwin":
        return Choice((APPLE,))
    for_cpu = (CPU, default)
    if machine.nvidia:
        on_windows = machine.platform == "win32"
        if machine.driver and machine.driver < CUDA_12[on_windows]:
            words = ".".join(map(str, machine.driver))
            return Choice(for_cpu, f"The NVIDIA driver {words} is too old for any CUDA build: update it, then repair.")
        too_old = machine.driver and machine.driver < CUDA_13[on_windows]
        if too_old or (machine.capability and machine.capability < TURING):
            return Choice((OLD_CUDA, *for_cpu))
        return Choice((CUDA, *for_cpu) if on_windows else (PYPI_CUDA,))
    if machine.amd and machine.platform == "linux":
        return Choice((ROCM, *for_cpu))
    return Choice(for_cpu)


def this_machine() -> Machine:
    """Asks the drivers."""
    asked = _nvidia_smi()
    nvidia = asked is not None or (sys.platform == "linux" and Path("/proc/driver/nvidia/version").exists())
    driver, capability = _read_smi(asked or "")
    # /dev/kfd is the compute interface of AMD's kernel driver.
    amd = sys.platform == "linux" and platform.machine() == "x86_64" and Path("/dev/kfd").exists()
    intel_mac = sys.platform == "darwin" and platform.machine() == "x86_64"
    return Machine(sys.platform, nvidia, driver, capability, amd, intel_mac)


def _nvidia_smi() -> str | None:
    """What NVIDIA's tool prints; None: there is no driver."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    command = [tool, "--query-gpu=driver_version,compute_cap", "--format=csv,noheader"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            creationflags=HIDDEN,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout


def _read_smi(text: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Driver and the oldest GPU's capability, of lines such as "580.95.05, 8.9"."""
    found = []
    for line in text.splitlines():
        driver, _, capability = line.partition(",")
        found.append((_numbers(driver), _numbers(capability)))
    if not found:
        return (), ()
    return found[0][0], min(capability for _, capability in found)


def _numbers(text: str) -> tuple[int, ...]:
    parts = text.strip().split(".")
    return tuple(map(int, parts)) if all(each.isdigit() for each in parts) else ()


def first_reachable(builds: tuple[Build, ...], answers: Callable[[Build], bool]) -> Build | None:
    """The first of `builds` whose index has the pinned torch; the default registry counts as reachable."""
    return next((each for each in builds if not each.index or answers(each)), None)


def has_torch(build: Build, patience: float = _PATIENCE) -> bool:
    """Whether the index of `build` offers the engine's torch, and says so within `patience` seconds."""
    return index_offers(build.index, f"torch-{version_of('torch')}", patience)


def index_offers(index: str, file: str, patience: float = _PATIENCE) -> bool:
    """Whether the page of torch at `index` names a file that begins with `file`."""
    found = threading.Event()
    finished = threading.Event()

    def ask() -> None:
        try:
            with open_url(urllib.request.Request(f"{index}/torch/"), patience) as answer:
                page = answer.read().decode("utf-8", "replace")
            if file in page:
                found.set()
        except (OSError, ValueError):
            pass
        finished.set()

    # In a thread: looking up a name has no time limit of its own, and can take half a minute without a network.
    threading.Thread(target=ask, daemon=True).start()
    finished.wait(patience)
    return found.is_set()
