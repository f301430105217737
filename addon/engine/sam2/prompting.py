"""What SAM 2 is given: frames as its input, and a Job's prompts as its prompts."""

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

_MEAN = torch.tensor((0.485, 0.456, 0.406))[:, None, None]  # sam2/utils/misc.py, load_video_frames
_STD = torch.tensor((0.229, 0.224, 0.225))[:, None, None]
_POLYGON_SUPERSAMPLING = 4


class Images:
    """Frames as SAM 2 wants them; holds the current one, reads others when a prompt needs them."""

    def __init__(self, reader: Reader, side: int) -> None:
        self._reader = reader
        self._side = side
        self._current: tuple[int, torch.Tensor] | None = None

    def put(self, index: int, pixels: NDArray[np.uint8]) -> None:
        """Make frame `index` (from 0), uint8 (S, S, 3) sRGB, the current one."""
        self._current = (index, normalise(pixels))

    def __getitem__(self, index: int) -> torch.Tensor:
        if self._current is None or self._current[0] != index:
            self.put(index, self._reader.model_input(index + 1, self._side))
        assert self._current is not None
        return self._current[1]


def normalise(pixels: NDArray[np.uint8]) -> torch.Tensor:
    """uint8 (S, S, 3) sRGB to float32 (3, S, S), as upstream's loader does it, to the last bit."""
    image = torch.from_numpy(pixels / 255.0).permute(2, 0, 1).float()
    return (image - _MEAN) / _STD


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
        mask=None if prompt.mask is None else _mask_input(prompt.mask, footage, predictor.image_size),
    )


def _mask_input(mask: Mask, footage: Footage, side: int) -> torch.Tensor:
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
