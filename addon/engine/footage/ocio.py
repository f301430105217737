"""Colour spaces of float footage, through OpenColorIO (OpenImageIO brings it): what the model and integer files see.

Without a colour space in the Job, values are taken as scene-linear with Rec. 709 primaries, and get the sRGB curve
(IEC 61966-2-1). With one, the config that Blender used converts them to its `sRGB`; what it calls data (Non-Color) is
shown as if it were scene-linear, as Blender does. Nothing is tone-mapped.
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
    """Scene-linear float values, clipped to 0..1, with the sRGB curve."""
    linear = _clipped(linear)
    curve: NDArray[np.float32] = np.where(
        linear <= 0.0031308, linear * np.float32(12.92), np.float32(1.055) * linear ** np.float32(1 / 2.4) - 0.055
    )
    return curve


def to_srgb_of(footage: Footage) -> ToSrgb:
    """How the footage's float values become sRGB. Raises JobError if its config lacks its colour space."""
    if not footage.colour_space:
        return srgb_curve
    check(footage)
    is_data = _config(footage.colour_config).isData(footage.colour_space)
    space = "scene_linear" if is_data else footage.colour_space
    return functools.partial(_convert, space=space, config=footage.colour_config)


def check(footage: Footage) -> None:
    """Raises JobError if the config can't be read or lacks the colour space."""
    config = _config(footage.colour_config)
    if footage.colour_space not in (*config.getColorSpaceNames(), *config.getRoles()):
        raise JobError(
            f"The OpenColorIO config {footage.colour_config} has no colour space {footage.colour_space!r}.",
            where="footage.colour_space",
            hint="Choose one of it in the clip's colour space settings.",
        )


def interop_id(footage: Footage) -> str:
    """The colour space's name as EXR files carry it (Color Interop Forum, attribute colorInteropID); may be empty."""
    return str(_config(footage.colour_config).get_color_interop_id(footage.colour_space) or "")


def in_words(footage: Footage) -> str:
    """For reports."""
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
        raise JobError(f"This is no OpenColorIO config ({error}).", where=path, hint="Name another one.")
    return config
