"""The facts about this computer that decide which build of torch it gets. They come from its drivers."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from ..runtime.processes import hear
from .torch_build import Gpu, Machine

_KFD = Path("/sys/class/kfd/kfd/topology/nodes")  # the compute interface of AMD's kernel driver
_PATIENCE = 20.0  # seconds
_PROCESSORS = {"AMD64": "x86_64", "ARM64": "arm64", "aarch64": "arm64"}


def this_machine() -> Machine:
    """Ask the drivers about this computer, which can take seconds."""
    processor = _PROCESSORS.get(platform.machine(), platform.machine())
    if sys.platform == "darwin":
        return Machine(sys.platform, processor, _numbers(platform.mac_ver()[0]))
    asked = _nvidia_smi()
    nvidia = asked is not None or (sys.platform == "linux" and Path("/proc/driver/nvidia/version").exists())
    driver, gpus = _read_smi(asked or "")
    amd = _amd_gpus(_KFD) if sys.platform == "linux" else ()
    return Machine(sys.platform, processor, (), nvidia, driver, gpus, amd)


def _nvidia_smi() -> str | None:
    """The output of NVIDIA's tool; None if there is no driver."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    try:
        query = "--query-gpu=driver_version,compute_cap,name"
        done = hear([tool, query, "--format=csv,noheader"], os.environ, patience=_PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout


def _read_smi(text: str) -> tuple[tuple[int, ...], tuple[Gpu, ...]]:
    """The driver's version and the GPUs in lines such as "580.95.05, 8.9, NVIDIA GeForce RTX 4090"."""
    lines = [[part.strip() for part in line.split(",", 2)] for line in text.splitlines() if line.count(",") >= 2]
    gpus = tuple(Gpu(name, _numbers(capability)) for _, capability, name in lines)
    return (_numbers(lines[0][0]) if lines else ()), gpus


def _amd_gpus(nodes: Path) -> tuple[str, ...]:
    """AMD's GPUs in the kernel driver's compute interface (Linux, drivers/gpu/drm/amd/amdkfd: gfx_target_version)."""
    found = []
    for file in sorted(nodes.glob("*/properties")):
        try:
            words = file.read_text(encoding="ascii", errors="replace").split()
            number = int(words[words.index("gfx_target_version") + 1])
        except (OSError, ValueError, IndexError):
            continue
        if number:  # it is 0 for a CPU
            found.append(f"gfx{number // 10_000}{number // 100 % 100:x}{number % 100:x}")
    return tuple(found)


def _numbers(text: str) -> tuple[int, ...]:
    parts = text.strip().split(".")
    return tuple(map(int, parts)) if all(part.isdigit() for part in parts) else ()
