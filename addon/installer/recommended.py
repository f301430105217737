"""The checkpoint that is recommended for a computer. Nothing here asks a driver.

On an RTX 3090, tiny, base plus and large need 28, 40 and 67 ms a frame (heyoeyo/muggled_sam, README), so base plus is
far from being waited for there, at a third of large's download. On a CPU it is the speed that counts: tiny. Apple's
GPUs have not been measured, and get tiny too.
"""

from __future__ import annotations

from ..checkpoints import OFFICIAL, Official
from ..runtime.measured import Measured
from .torch_build import Build

ON_GPU = "sam2.1_hiera_base_plus"
ON_CPU = "sam2.1_hiera_tiny"

_FAST = ("NVIDIA", "AMD")


def recommended(build: Build | None, tested: Measured | None, device: str = "auto") -> Official:
    """The checkpoint to begin with.

    Args:
        build: the planned build of torch; None: there is none, or the drivers have not answered yet.
        tested: the last self-test; None: there has been none.
        device: the device of the preferences.
    """
    gpu_works = tested is None or not (tested.gpu_problem or tested.device.startswith("CPU"))
    has_gpu = build is not None and build.gpus in _FAST
    return OFFICIAL[ON_GPU if has_gpu and gpu_works and device != "cpu" else ON_CPU]
