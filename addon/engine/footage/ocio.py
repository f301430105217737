"""Colour spaces of float footage: the conversion to sRGB for the model and for integer files.

Without a colour space in the Job, values are scene-linear with Rec. 709 primaries and get the sRGB curve
(IEC 61966-2-1). Otherwise OpenColorIO, which is part of OpenImageIO, converts them with Blender's config to its `sRGB`.
Data (Non-Color) is converted like scene-linear values, as in Blender. Nothing is tone-mapped.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO
from numpy.typing import NDArray

from ...contract.errors import JobError
from ...contract.job_types import Footage

ToSrgb = Callable[[Any], NDArray[np.float32]]  # float (H, W, 3) in the footage's space to 0..1; NaN becomes 0

_DISPLAY = "sRGB"


def srgb_curve(linear: Any) -> NDArray[np.float32]:
    """Apply the sRGB curve to scene-linear float values, clipped to 0..1."""
    linear = _clipped(linear)
    curve: NDArray[np.float32] = np.where(
        linear <= 0.0031308, linear * np.float32(12.92), np.float32(1.055) * linear ** np.float32(1 / 2.4) - 0.055
    )
    return curve


def to_srgb_of(footage: Footage) -> ToSrgb:
    """The function that converts the footage's float values to sRGB. Raises JobError if the colour space is unknown."""
    if not footage.colour_space:
        return srgb_curve
    check(footage)
    is_data = _config(footage.colour_config).isData(footage.colour_space)
    space = "scene_linear" if is_data else footage.colour_space
    return functools.partial(_convert, space=space, config=footage.colour_config)


def check(footage: Footage) -> None:
    """Check that the config can be read and has the colour space. Raises JobError."""
    config = _config(footage.colour_config)
    if footage.colour_space not in (*config.getColorSpaceNames(), *config.getRoles()):
        raise JobError(
            f"The OpenColorIO config {footage.colour_config} has no colour space {footage.colour_space!r}.",
            where="footage.colour_space",
            hint="Choose one of its colour spaces in the clip's settings.",
        )


def interop_id(footage: Footage) -> str:
    """The colour space's name for the EXR attribute colorInteropID (Color Interop Forum); may be empty."""
    return str(_config(footage.colour_config).get_color_interop_id(footage.colour_space) or "")


def in_words(footage: Footage) -> str:
    """The colour space in words, for reports."""
    if not footage.colour_space:
        return "scene-linear Rec. 709 (assumed)"
    path = Path(footage.colour_config)
    return f"{footage.colour_space} (OpenColorIO config {path.parent.name}/{path.name})"


def _convert(pixels: Any, space: str, config: str) -> NDArray[np.float32]:
    source = OpenImageIO.ImageBuf(np.ascontiguousarray(np.nan_to_num(pixels, nan=0.0), np.float32))
    result = OpenImageIO.ImageBufAlgo.colorconvert(source, space, _DISPLAY, False, "", "", config, nthreads=1)
    if result.has_error:
        raise JobError(f"Colours can't be converted: {result.geterror()}", where="footage.colour_space")
    return _clipped(result.get_pixels(OpenImageIO.FLOAT))


def _clipped(pixels: Any) -> NDArray[np.float32]:
    clipped: NDArray[np.float32] = np.clip(
        np.nan_to_num(pixels, nan=0.0, posinf=1.0, neginf=0.0), 0, 1, dtype=np.float32
    )
    return clipped


@functools.lru_cache(maxsize=2)
def _config(path: str) -> Any:
    config = OpenImageIO.ColorConfig(path)
    if error := config.geterror():
        raise JobError(f"This is not an OpenColorIO config ({error}).", where=path, hint="Name another one.")
    return config
