"""The self-test: whether the runtime works on this computer, how fast, and how exactly.

It runs some kernels on the chosen device, then tracks some frames.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ..checkpoints import OFFICIAL, checkpoints_folder
from ..contract.errors import Cancelled, EngineError, MatteError
from ..contract.job import Job
from ..contract.job_types import Device, MatteObject, Model, Point, Prompt
from ..contract.protocol import Stage
from ..runtime.locate import GPU_CHOICE
from ..runtime.measured import Gpu, Measured
from .footage.footage import scan
from .sam2 import model
from .session import Session

_SIDE = 192  # pixels
_FRAMES = 9  # after these SAM 2's memory is full, and the time per frame stays the same
_MEASURED = 3  # number of frames, the last ones, that are measured
_PATIENCE = 45.0  # seconds for measuring a checkpoint's speed; on a CPU a large one takes 10 s per frame
_TOLERANCE = 1e-2  # for TF32, and other devices' orders of summation
# Modules that are imported only when a file needs them. A library that this system lacks must show up in the self-test.
_ON_DEMAND = ("av", "cv2", "isal.isal_zlib", "OpenImageIO", "pillow_heif", "plyfile", "rawpy", "simplejpeg")


def self_test(device: Device, before: Measured | None = None) -> Measured:
    """Try everything that tracking needs, with the embedded checkpoint, and measure the speed of each checkpoint here.

    Args:
        device: the device to test.
        before: the results of an earlier self-test. Its facts about GPUs are kept if this one can't see them, because
            it may use only one GPU or only the CPU.

    Returns:
        The results.

    Raises:
        EngineError: something does not work.
        MatteError: see Session.track.
    """
    for module in _ON_DEMAND:
        importlib.import_module(module)
    chosen = model.choose_device(device)
    _compute(chosen)
    precision = model.choose_precision("auto", chosen)
    with tempfile.TemporaryDirectory(prefix="splat-matte-") as folder:
        # in a folder of its own, as mattes are written beside it
        footage = scan(_draw(Path(folder) / "shot", _FRAMES))[0]
        subject = MatteObject("Disc", (Prompt(1, points=(Point(_SIDE / 3, _SIDE / 2),)),))
        job = Job(footage, (subject,), Model(device=device), target="", cache_megabytes=0)
        speed, matte = _track(job, None)
        if matte is None or speed is None:
            raise EngineError(f"Not all of {_FRAMES} frames have a matte.", where=model.describe(chosen))
        drift = 0.0
        if precision != "float32":
            exact = dataclasses.replace(job, model=Model(device=device, precision="float32"))
            drift = _difference(matte, _track(exact, None)[1])
        speeds: dict[str, float | None] = {job.model.checkpoint: speed}
        for official in OFFICIAL.values():
            if (checkpoints_folder() / official.file).exists():
                with contextlib.suppress(
                    MatteError
                ):  # a checkpoint that does not fit into the GPU's memory has no speed
                    other = dataclasses.replace(job, model=Model(official.name, device=device))
                    speeds[official.name] = _track(other, _PATIENCE)[0]
    return Measured(
        model.describe(chosen),
        precision,
        round(drift, 5),
        {name: float(f"{speed:.2g}") for name, speed in speeds.items() if speed},
        before.gpus if before and os.environ.get(GPU_CHOICE) else _gpus(),
        before.gpu_problem if before and device == "cpu" else "",
    )


def _gpus() -> tuple[Gpu, ...]:
    """The NVIDIA GPUs. AMD GPUs are numbered in another way, so a user can't choose one."""
    if torch.version.cuda is None or not torch.cuda.is_available():
        return ()
    found = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    return tuple(Gpu(f"GPU-{gpu.uuid}", gpu.name) for gpu in found)


def _track(job: Job, patience: float | None) -> tuple[float | None, NDArray[np.bool_] | None]:
    """Frames per second, and the last frame's matte. Raises MatteError.

    Both are None if tracking was stopped after `patience` seconds.
    """
    began = time.perf_counter()
    moments: list[float] = []

    def step(stage: Stage, done: int, total: int, frame: int) -> None:
        if stage == "track":
            moments.append(time.perf_counter())

    session = Session(step, lambda: patience is not None and time.perf_counter() - began > patience)
    matte = None
    with contextlib.suppress(Cancelled):
        matte = session.track(job).takes[job.objects[0].name].matte(_FRAMES)
    taken = np.diff(moments)[-_MEASURED:]
    speed = float(1 / np.median(taken)) if taken.size else None
    return speed, None if matte is None else matte.logits > 0


def _difference(found: NDArray[np.bool_], expected: NDArray[np.bool_] | None) -> float:
    """1 - IoU of two mattes."""
    if expected is None:
        return 1.0
    return 1 - float((found & expected).sum() / max(1, (found | expected).sum()))


def _compute(device: torch.device) -> None:
    """Compute a convolution and an attention on the device and compare with the CPU. Raises EngineError."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 8, 32, 32, generator=generator)
    kernel = torch.randn(8, 8, 3, 3, generator=generator)

    def compute(where: torch.device) -> torch.Tensor:
        features = torch.nn.functional.conv2d(image.to(where), kernel.to(where), padding=1)
        tokens = features.flatten(2).transpose(1, 2)
        return torch.nn.functional.scaled_dot_product_attention(tokens, tokens, tokens).cpu()

    try:
        found, expected = compute(device), compute(torch.device("cpu"))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise EngineError(f"A computation failed: {reason}", where=model.describe(device)) from None
    if not torch.allclose(found, expected, rtol=_TOLERANCE, atol=_TOLERANCE * float(expected.abs().max())):
        raise EngineError("This device computes other results than the CPU.", where=model.describe(device))


def _draw(folder: Path, count: int) -> Path:
    """Draw frames with a bright disc that moves a little to the right."""
    folder.mkdir()
    y, x = np.mgrid[:_SIDE, :_SIDE]
    for frame in range(1, count + 1):
        inside = (x - _SIDE / 3 - 4 * frame) ** 2 + (y - _SIDE / 2) ** 2 < (_SIDE / 6) ** 2
        pixels = np.where(inside[..., None], (230, 120, 40), (60, 70, 90)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"disc_{frame:04d}.png")
    return folder
