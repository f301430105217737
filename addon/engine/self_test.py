"""Does this runtime work here? Real kernels on the chosen device, and the embedded checkpoint on two frames."""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..contract.errors import EngineError
from ..contract.job import Job
from ..contract.job_types import Device, MatteObject, Model, Point, Prompt
from .footage.footage import scan
from .sam2 import model
from .session import Session

_SIDE = 192  # pixels
_TOLERANCE = 1e-2  # TF32 and other devices' orders of summation
# Loaded only when a file asks for them: a library that this system lacks shall show here, not in front of an artist.
_ON_DEMAND = ("av", "cv2", "isal.isal_zlib", "OpenImageIO", "simplejpeg")


def self_test(device: Device) -> str:
    """Returns what it ran on, in words.

    Raises:
        EngineError: what does not work.
        MatteError: as Session.track.
    """
    for each in _ON_DEMAND:
        importlib.import_module(each)
    chosen = model.choose_device(device)
    _compute(chosen)
    with tempfile.TemporaryDirectory(prefix="splat-matte-") as folder:
        # a folder below it: mattes are made beside it
        footage = _draw(Path(folder) / "shot")
        subject = MatteObject("Disc", (Prompt(1, points=(Point(_SIDE / 3, _SIDE / 2),)),))
        job = Job(scan(footage)[0], (subject,), Model(device=device), target="")
        tracked = Session(lambda *_: None, lambda: False).track(job)
    if tracked.frames != [1, 2]:
        raise EngineError(f"Of two frames, these have a matte: {tracked.frames}.", where=model.describe(chosen))
    return model.describe(chosen)


def _compute(device: torch.device) -> None:
    """A convolution and an attention, compared with the CPU's. Raises EngineError."""
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
        raise EngineError("It computes something else than the CPU does.", where=model.describe(device))


def _draw(folder: Path) -> Path:
    """Two frames of a bright disc that moves a little to the right."""
    folder.mkdir()
    y, x = np.mgrid[:_SIDE, :_SIDE]
    for frame in (1, 2):
        inside = (x - _SIDE / 3 - 4 * frame) ** 2 + (y - _SIDE / 2) ** 2 < (_SIDE / 6) ** 2
        pixels = np.where(inside[..., None], (230, 120, 40), (60, 70, 90)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"disc_{frame:04d}.png")
    return folder
