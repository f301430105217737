"""Choosing the build of torch for a machine. Nothing here asks a driver or a server.

Each version of torch is published in several builds. The default registry has CUDA 13's for Linux, the CPU's for
Windows, and Apple's. PyTorch's own indexes have all builds; the CPU build has a seventh of the size of CUDA's.

Sources: for the builds that a driver can run, NVIDIA, CUDA Toolkit Release Notes (table "CUDA Toolkit and Minimum
Required Driver Version" and minor version compatibility); for the GPUs that a build has kernels for, PyTorch,
.ci/manywheel/build_cuda.sh (TORCH_CUDA_ARCH_LIST) and .ci/docker/manywheel/build.sh (PYTORCH_ROCM_ARCH).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..contract.errors import EngineError

_PYTORCH = "https://download.pytorch.org/whl"

PYTHONS = ((3, 11), (3, 12), (3, 13), (3, 14))  # the pins have wheels for these
_OLDEST_MACOS = (14,)  # the oldest macOS that torch's wheel supports
_LARGER = 1.3  # factor to the announced size above which the user is asked; the estimates are more exact than this

# Bytes of all packages except torch and its dependencies, including uv, measured for Python 3.11.
_OTHERS = {"linux": 220_000_000, "win32": 130_000_000, "darwin": 120_000_000}


@dataclass(frozen=True, slots=True)
class Build:
    """One build of torch.

    local: the suffix of the version in its own index (2.13.0+cpu); empty for the default registry.
    torch: bytes of torch and its dependencies, by sys.platform; other platforms have no such build.
    unpacked: size on the disk divided by the size of the download.
    gpus: maker of the GPUs that it computes on; empty: it computes on the CPU only.
    drivers: the oldest NVIDIA driver that it needs, on Linux and on Windows.
    kernels: compute capabilities of the oldest and the newest NVIDIA GPU that it has kernels for.
    """

    name: str
    words: str
    local: str
    torch: Mapping[str, int] = field(hash=False)
    unpacked: float = 2.4
    gpus: str = ""
    drivers: Mapping[str, tuple[int, ...]] = field(default_factory=dict, hash=False)
    kernels: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))

    @property
    def index(self) -> str:
        """The address of its index; empty for the default registry."""
        return f"{_PYTORCH}/{self.local}" if self.local else ""

    @property
    def server(self) -> str:
        """The server that has it, in words."""
        return "download.pytorch.org" if self.local else "pypi.org"

    def download(self, platform: str) -> int:
        """The approximate number of bytes to download for the whole engine with this build."""
        return self.torch.get(platform, 0) + _OTHERS.get(platform, _OTHERS["linux"])

    def disk(self, platform: str) -> int:
        """The approximate number of bytes on the disk of the whole engine with this build."""
        return round(self.unpacked * self.download(platform))


_ON_13 = {"linux": (580,), "win32": (580,)}
_ON_12 = {"linux": (525, 60), "win32": (528, 33)}
_SINCE_TURING = ((7, 5), (12, 99))

CPU = Build("cpu", "the CPU", "cpu", {"linux": 192_000_000, "win32": 122_000_000}, 3.6)
CUDA = Build(
    "cu130",
    "NVIDIA GPUs (CUDA 13.0)",
    "cu130",
    {"linux": 2_730_000_000, "win32": 1_900_000_000},
    gpus="NVIDIA",
    drivers=_ON_13,
    kernels=_SINCE_TURING,
)
BLACKWELL_CUDA = Build(
    "cu129",
    "NVIDIA GPUs (CUDA 12.9)",
    "cu129",
    {"linux": 3_300_000_000},
    gpus="NVIDIA",
    drivers={"linux": _ON_12["linux"]},
    kernels=_SINCE_TURING,
)
OLD_CUDA = Build(
    "cu126",
    "NVIDIA GPUs (CUDA 12.6)",
    "cu126",
    {"linux": 2_900_000_000, "win32": 2_600_000_000},
    gpus="NVIDIA",
    drivers=_ON_12,
    kernels=((5, 0), (9, 0)),
)
ROCM = Build("rocm7.2", "AMD GPUs (ROCm 7.2)", "rocm7.2", {"linux": 5_000_000_000}, 3.4, "AMD")
APPLE = Build("apple", "Apple's GPUs and CPUs", "", {"darwin": 111_000_000}, 3.6, "Apple")
PYPI_CUDA = Build(
    "pypi-cuda",
    "NVIDIA GPUs (CUDA 13.0) and the CPU",
    "",
    {"linux": 2_730_000_000},
    gpus="NVIDIA",
    drivers={"linux": (580,)},
    kernels=_SINCE_TURING,
)
PYPI_CPU = Build("pypi-cpu", "the CPU", "", {"win32": 122_000_000}, 3.6)

CHOICES = {build.name: build for build in (CPU, CUDA, BLACKWELL_CUDA, OLD_CUDA, ROCM)}
ANY = "any"  # a value of InstallPlan.agreed: any available build

# The chips that PyTorch's ROCm wheels have kernels for.
_ROCM = "900 906 908 90a 942 950 1030 1100 1101 1102 1103 1150 1151 1200 1201"
_ROCM_KERNELS = frozenset(f"gfx{chip}" for chip in _ROCM.split())


@dataclass(frozen=True, slots=True)
class Gpu:
    """An NVIDIA GPU. capability: its compute capability; () if unknown."""

    name: str
    capability: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Machine:
    """The facts about a machine that decide which build it gets.

    platform: a value of sys.platform.
    processor: x86_64 or arm64.
    system: the version of macOS; () for other systems, or if unknown.
    nvidia: whether it has NVIDIA's driver.
    driver: the version of NVIDIA's driver; () if unknown.
    gpus: the NVIDIA GPUs, in the driver's order.
    amd: the AMD GPUs that the kernel driver supports for computing, by their compiler names (gfx1100).
    """

    platform: str
    processor: str = "x86_64"
    system: tuple[int, ...] = ()
    nvidia: bool = False
    driver: tuple[int, ...] = ()
    gpus: tuple[Gpu, ...] = ()
    amd: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """The builds that fit a machine, the best first, which is the planned one. note: a remark for the user."""

    builds: tuple[Build, ...]
    note: str = ""


class OtherBuildError(EngineError):
    """The planned build is not available as announced. The user is asked before `build` is installed instead."""

    def __init__(self, message: str, build: Build) -> None:
        super().__init__(message, hint="Try again later, or take that one.")
        self.build = build


def choose(machine: Machine, chosen: str = "auto", python: tuple[int, int] = PYTHONS[0]) -> Choice:
    """The builds for a machine and a version of Python.

    Args:
        machine: the machine.
        chosen: "auto", or the name in CHOICES of the only build to consider.
        python: major and minor version.

    Raises:
        EngineError: there is no build for it.
    """
    _refuse_impossible(machine, chosen, python)
    default = {"darwin": APPLE, "win32": PYPI_CPU}.get(machine.platform, PYPI_CUDA)
    for_cpu = (APPLE,) if default is APPLE else (CPU, default)
    if chosen == "cpu" or machine.platform == "darwin":
        return Choice(for_cpu)
    if chosen != "auto":
        # The default registry's build for Linux is also CUDA 13's.
        return Choice((CUDA, default) if chosen == "cu130" and default is PYPI_CUDA else (CHOICES[chosen],))
    if not machine.nvidia:
        build, note = _for_amd(machine)
        return Choice((build, *for_cpu) if build else for_cpu, note)
    build, note = _for_nvidia(machine)
    if build is None:
        other, _ = _for_amd(machine)
        return Choice((other, *for_cpu) if other else for_cpu, note)
    if build is CUDA and default is PYPI_CUDA:
        return Choice((PYPI_CUDA, CUDA, CPU), note)
    return Choice((build, *for_cpu), note)


def settle(choice: Choice, offers: Callable[[Build], bool], folder: str = "") -> Build:
    """The first available build: the planned one, or another one that `refuse_other` may ask about.

    Args:
        choice: the builds that fit.
        offers: tells whether a build is available for this system and Python.
        folder: the folder that all files come from; empty: they are downloaded.

    Raises:
        EngineError: no build is available.
    """
    for build in choice.builds:
        if offers(build):
            return build
    plan = choice.builds[0]
    raise EngineError(
        f"PyTorch for {plan.words} is not available there.",
        where=folder or plan.index or plan.server,
        hint="Check the connection, or choose another build of PyTorch in the preferences.",
    )


def refuse_other(machine: Machine, plan: Build, build: Build, size: int, agreed: str = "") -> None:
    """Raise OtherBuildError if `build`, a download of `size` bytes, is larger than `plan` or supports less."""
    announced = plan.download(machine.platform)
    does_as_much = plan.gpus in ("", build.gpus)  # all compute on the CPU
    if agreed in (build.name, ANY) or (does_as_much and size <= _LARGER * announced):
        return
    sizes = f"{size / 1e6:,.0f} MB in all and not {announced / 1e6:,.0f} MB" if size else "from the same folder"
    message = f"PyTorch for {plan.words} is not available there, but the build for {build.words} is: {sizes}."
    raise OtherBuildError(message if build is not plan else f"More would be downloaded than announced: {sizes}.", build)


def _refuse_impossible(machine: Machine, chosen: str, python: tuple[int, int]) -> None:
    """Raise EngineError if no build can be installed on a machine."""
    reason = hint = ""
    if python not in PYTHONS:
        reason = f"PyTorch and the other packages are not published for Python {_dotted(python)}."
        hint = f"Name a Python {', '.join(map(_dotted, PYTHONS))} in the preferences, under Made From."
    elif machine.platform == "darwin" and machine.processor == "x86_64":
        reason = "PyTorch no longer runs on Macs with an Intel processor: the engine can't be installed here."
    elif machine.platform == "darwin" and machine.system and machine.system < _OLDEST_MACOS:
        reason = f"PyTorch needs macOS {_dotted(_OLDEST_MACOS)} or newer, this is {_dotted(machine.system)}."
        hint = "Update macOS, then install the engine."
    elif machine.platform == "win32" and machine.processor == "arm64":
        reason = "Some of the engine's packages are not published for Windows on ARM."
        hint = "Use Blender for x64 there."
    elif chosen != "auto" and machine.platform != "darwin" and machine.platform not in CHOICES[chosen].torch:
        reason = f"PyTorch for {CHOICES[chosen].words} is not published for this system."
        hint = "Choose another build of PyTorch in the preferences."
    if reason:
        raise EngineError(reason, hint=hint)


def _for_nvidia(machine: Machine) -> tuple[Build | None, str]:
    """The build that supports the newest GPU, or of several such builds the one that supports most GPUs; and a note.

    The build is None if none supports it.
    """
    driver = _dotted(machine.driver)
    drivers = [build for build in (CUDA, OLD_CUDA, BLACKWELL_CUDA) if _driver_runs(machine, build)]
    if not drivers:
        return None, f"The NVIDIA driver {driver} is too old for any CUDA build: update it, then repair."
    known = [gpu for gpu in machine.gpus if gpu.capability]
    if not known:
        return drivers[0], ""
    newest = max(gpu.capability for gpu in known)

    def rank(build: Build) -> tuple[bool, int]:
        used = [gpu for gpu in known if _computes(build, gpu)]
        return any(gpu.capability == newest for gpu in used), len(used)

    best = max(drivers, key=rank)  # the first of equal ones
    unused = [gpu for gpu in known if not _computes(best, gpu)]
    if not unused:
        return best, ""
    build = best if len(unused) < len(known) else None
    names = " and ".join(dict.fromkeys(gpu.name for gpu in unused))
    if any(_computes(CUDA, gpu) for gpu in unused):
        return build, f"{names}: needs driver 580 or newer, this is {driver}. Update it, then repair."
    return build, f"{names}: too old for {'this build of ' if build else ''}PyTorch, and not used."


def _for_amd(machine: Machine) -> tuple[Build | None, str]:
    if machine.platform != "linux" or machine.processor != "x86_64" or not machine.amd:
        return None, ""
    if _ROCM_KERNELS.intersection(machine.amd):
        return ROCM, ""
    return None, f"PyTorch has nothing for this AMD GPU ({', '.join(machine.amd)}): the CPU is used."


def _driver_runs(machine: Machine, build: Build) -> bool:
    oldest = build.drivers.get(machine.platform)
    return oldest is not None and (not machine.driver or machine.driver >= oldest)


def _computes(build: Build, gpu: Gpu) -> bool:
    oldest, newest = build.kernels
    return oldest <= gpu.capability <= newest


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
