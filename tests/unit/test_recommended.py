"""The checkpoint that Set Up downloads: by what the computer has, and by what the self-test found out."""

import pytest

from addon.installer.recommended import ON_CPU, ON_GPU, recommended
from addon.installer.torch_build import APPLE, CPU, PYPI_CUDA, ROCM, Build
from addon.runtime.measured import Measured

WORKS = Measured("NVIDIA GeForce RTX 4090", "bfloat16")


@pytest.mark.parametrize(
    ("build", "tested", "device", "name"),
    [
        (None, None, "auto", ON_CPU),
        (CPU, None, "auto", ON_CPU),
        (APPLE, None, "auto", ON_CPU),
        (PYPI_CUDA, None, "auto", ON_GPU),
        (PYPI_CUDA, WORKS, "auto", ON_GPU),
        (ROCM, None, "auto", ON_GPU),
        (PYPI_CUDA, WORKS, "cpu", ON_CPU),
        (PYPI_CUDA, Measured("CPU, 8 threads", "float32"), "auto", ON_CPU),
        (PYPI_CUDA, Measured("CPU, 1 thread", "float32", gpu_problem="no kernel image"), "auto", ON_CPU),
    ],
)
def test_fast_enough_there(build: Build | None, tested: Measured | None, device: str, name: str) -> None:
    assert recommended(build, tested, device).name == name
