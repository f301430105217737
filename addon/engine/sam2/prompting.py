"""Converts frames and a Job's prompts to the inputs of SAM 2."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ...contract.boundary import reading
from ...contract.errors import JobError
from ...contract.job_types import Footage, Mask, Prompt
from ..footage import panorama
from ..footage.footage import Reader
from ..footage.mask_images import read_mask
from ..footage.polygons import fill
from .predictor import Predictor, State
from .transfer import on_device

_MEAN = torch.tensor((0.485, 0.456, 0.406))  # sam2/utils/misc.py, load_video_frames
_STD = torch.tensor((0.229, 0.224, 0.225))
# What each of the 256 values of a channel becomes: (256, 3), by upstream's arithmetic, on every device the same bits.
_NORMALISED = (torch.from_numpy(np.arange(256) / 255.0).float()[:, None] - _MEAN) / _STD
_POLYGON_SUPERSAMPLING = 4


class Images:
    """Frames in the format that SAM 2 expects; holds the current one, and reads others when a prompt needs them."""

    def __init__(self, reader: Reader, predictor: Predictor) -> None:
        self._reader = reader
        self._side: int = predictor.image_size
        self._device: torch.device = predictor.device
        self._current: tuple[int, torch.Tensor] | None = None

    def put(self, index: int, pixels: NDArray[np.uint8]) -> None:
        """Make frame `index` (from 0), uint8 (S, S, 3) sRGB, the current one."""
        self._current = (index, normalise(pixels, self._device))

    def __getitem__(self, index: int) -> torch.Tensor:
        if self._current is None or self._current[0] != index:
            self.put(index, self._reader.model_input(index + 1, self._side))
        assert self._current is not None
        return self._current[1]


def normalise(pixels: NDArray[np.uint8], device: torch.device) -> torch.Tensor:
    """uint8 (H, W, 3) sRGB to float32 (3, H, W) on `device`, as upstream's loader does it, to the last bit.

    A GPU gets the bytes and looks their values up itself: a quarter of the transfer, and nothing waits for it.
    """
    if device.type == "cpu":
        values = torch.from_numpy(cv2.LUT(pixels, _NORMALISED.numpy()[None]))
    else:
        values = look_up(on_device(pixels, device))
    return values.permute(2, 0, 1)


def look_up(pixels: torch.Tensor) -> torch.Tensor:
    """Normalised values of uint8 (H, W, 3), where it lies: float32 (H, W, 3)."""
    places = pixels.int() * 3 + torch.arange(3, dtype=torch.int32, device=pixels.device)
    table = _NORMALISED.to(pixels.device, non_blocking=True).flatten()
    return table.index_select(0, places.flatten()).view(pixels.shape)


def give(predictor: Predictor, state: State, obj: int, prompt: Prompt, footage: Footage) -> None:
    """Prompt object `obj` of `state` on the prompt's frame. Raises JobError that names the mask."""
    height, box = footage.height, prompt.box

    def places(x: float) -> list[float]:
        share = x / footage.width
        return panorama.places(share, predictor.image_size) if footage.panorama else [share]

    points = [(x, point.y / height, point.include) for point in prompt.points for x in places(point.x)]
    predictor.prompt(
        state,
        obj,
        prompt.frame - 1,
        points=[point[:2] for point in points],
        labels=[int(include) for _, _, include in points],
        box=None if box is None else (places(box.x0)[0], box.y0 / height, places(box.x1)[0], box.y1 / height),
        mask=None if prompt.mask is None else mask_input(prompt.mask, footage, predictor.image_size),
    )


def mask_input(mask: Mask, footage: Footage, side: int) -> torch.Tensor:
    """A mask prompt as bool (side, side): antialiased reduction, at least half covered, as upstream's add_new_mask."""
    if mask.polygons:
        fine = side * _POLYGON_SUPERSAMPLING
        canvas = np.zeros((fine, fine), np.uint8)
        fill(canvas, mask.polygons, fine / footage.width, fine / footage.height, holes=mask.holes)
        small = cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA)
    else:
        with reading(JobError, "The mask can't be read", where=mask.file, hint="Give another image."):
            drawn = read_mask(Path(mask.file))
        if drawn.shape != (footage.height, footage.width):
            raise JobError(
                f"The mask has {drawn.shape[1]} x {drawn.shape[0]} pixels, the footage {footage.width} x "
                f"{footage.height}.",
                where=mask.file,
                hint="Give a mask of the footage's size.",
            )
        small = np.asarray(Image.fromarray(drawn).resize((side, side), Image.Resampling.BILINEAR))
    if footage.panorama:
        small = panorama.widen(np.asarray(small, np.uint8))
    inside = small >= 128
    if not inside.any():
        raise JobError("The mask is empty.", where=mask.file or "mask", hint="Draw it on the subject or remove it.")
    return torch.from_numpy(inside)
