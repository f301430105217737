"""Writing EXR files, through OpenImageIO."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import OpenImageIO
from numpy.typing import NDArray

# Of a source's header, what says how its pixels are stored; the rest goes along.
_OF_PIXELS = ("compression", "openexr:", "oiio:", "orientation", "tiles", "name", "channels", "type", "chunkcount")


def write_exr(
    file: BinaryIO,
    layers: Mapping[str, NDArray[Any]],
    channels: str,
    kind: str,
    attributes: Mapping[str, Any],
    like: Path | None = None,
) -> None:
    """Fill an open file with one part of scanlines, losslessly compressed.

    Args:
        file: of a real file; OpenImageIO opens it once more by its name.
        layers: by name, arrays (H, W, C) of one size; channels are called `<layer>.<channel>`, of the layer "" just
            `<channel>`.
        channels: a letter for each of the C.
        kind: half or float.
        attributes: of the header; only text.
        like: an EXR file of that size whose data window and metadata go along.

    Raises:
        OSError: it can't be written.
    """
    pixels = np.dstack(list(layers.values())).astype(np.float16 if kind == "half" else np.float32, copy=False)
    height, width = pixels.shape[:2]
    spec = OpenImageIO.ImageSpec(width, height, pixels.shape[2], kind)
    spec.channelnames = [f"{layer}.{each}" if layer else each for layer in layers for each in channels]
    if like is not None:
        _go_along(spec, like)
    spec.attribute("compression", "zip")
    for name, value in attributes.items():
        if not spec.getattribute(name):
            spec.attribute(name, value)
    output = OpenImageIO.ImageOutput.create("openexr")
    if output is None or not output.open(file.name, spec):
        raise OSError(OpenImageIO.geterror() if output is None else output.geterror())
    try:
        if not output.write_image(pixels):
            raise OSError(output.geterror())
    finally:
        if not output.close():
            raise OSError(output.geterror())


def _go_along(spec: Any, like: Path) -> None:
    opened = OpenImageIO.ImageInput.open(str(like))
    if opened is None:
        raise OSError(OpenImageIO.geterror())
    source = opened.spec()
    for name in ("x", "y", "full_x", "full_y", "full_width", "full_height"):
        setattr(spec, name, getattr(source, name))
    for each in source.extra_attribs:
        if not each.name.lower().startswith(_OF_PIXELS):
            spec.attribute(each.name, each.type, each.value)
    opened.close()
