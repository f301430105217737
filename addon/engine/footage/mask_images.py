"""Drawn masks as image files: which pixels are the subject.

Programs write masks in several ways, which these rules cover. If the alpha channel varies, it is the mask, whatever the
colours are. In an image with a colour palette index 0 is the background, as in DAVIS and labelling programs. If all
values are 0 or 1, then 1 is the subject. In all other images the subject is at least half as bright as white, which is
the full scale of 16-bit and float images.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...contract.exif import read_orientation
from .images import open_image, read_plate, upright


def read_mask(path: Path) -> NDArray[np.uint8]:
    """Read a mask: uint8 (H, W), upright, 255 on the subject, 0 elsewhere. Raises FootageError or Pillow's errors."""
    with path.open("rb") as file:
        is_exr = file.read(4) == b"\x76\x2f\x31\x01"
    if is_exr:
        plate = read_plate(path, alpha=True)
        values: Any = plate.pixels[..., 0] if plate.alpha is None or not _varies(plate.alpha) else plate.alpha
        inside = values >= 0.5
    else:
        with open_image(path) as image:
            inside = upright(_inside(image), read_orientation(path))
    return np.where(inside, np.uint8(255), np.uint8(0))


def _varies(values: NDArray[Any]) -> bool:
    return bool(values.min() != values.max())


def _inside(image: Image.Image) -> Any:
    """The subject, bool (H, W), in the orientation of the stored pixels."""
    if image.has_transparency_data:
        alpha = np.asarray(image.convert("RGBA").getchannel("A"))
        if _varies(alpha):
            return alpha >= 128
    if image.mode == "P":
        palette = np.asarray(image.getpalette("RGB")).reshape(-1, 3)
        indices = np.asarray(image)
        if (palette[np.unique(indices)] != palette[np.unique(indices), :1]).any():  # not grey alone
            return indices != 0
    deep = image.mode.startswith(("I", "F"))
    values: NDArray[Any] = np.asarray(image if deep else image.convert("L"))
    most = values.max()
    if image.mode == "F":
        return values >= (0.5 if most <= 1 else 128)
    if most <= 1:
        return values > 0
    return values >= (128 if most <= 255 else 32768)
