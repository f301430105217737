"""Writing EXR files, through OpenImageIO: one part of scanlines, losslessly compressed, a band of rows at a time."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import OpenImageIO
from numpy.typing import NDArray

_FULL = 1024 * 1024  # bytes: a disk with less free space counts as full
_BAND_BYTES = 16 * 1024 * 1024
# Of a source's header, what says how its pixels are stored, or describes channels that are not written.
_NOT_ALONG: tuple[str, ...] = ("compression", "openexr:", "oiio:", "orientation", "tiles", "name", "channels", "type")
_NOT_ALONG += ("chunkcount", "cryptomatte/")


def write_exr(
    file: BinaryIO,
    size: tuple[int, int],
    channels: Mapping[str, str],
    rows: Callable[[slice], NDArray[Any]],
    attributes: Mapping[str, str],
    like: Path | None = None,
) -> None:
    """Write an EXR image into an open file.

    Args:
        file: a file with a name, because OpenImageIO opens it again by name.
        size: width and height.
        channels: the sample type, half or float, by channel name, such as `R` or `<layer>.R`.
        rows: returns rows of the image as float (rows, width, channels).
        attributes: header attributes, all of them text.
        like: an EXR file of the same size whose data window and metadata are copied.

    Raises:
        OSError: the file can't be written. It is read back, because OpenEXR may not report a full disk.
    """
    width, height = size
    kinds = list(channels.values())
    spec = OpenImageIO.ImageSpec(width, height, len(channels), kinds[0] if len(set(kinds)) == 1 else "float")
    spec.channelnames = tuple(channels)
    spec.attribute("DateTime", "")  # without the current time, so that the same pixels give the same bytes
    if len(set(kinds)) > 1:
        spec.channelformats = tuple(map(OpenImageIO.TypeDesc, kinds))
    if like is not None:
        _go_along(spec, like)
    spec.attribute("compression", "zip")
    for name, value in attributes.items():
        if not spec.getattribute(name):
            spec.attribute(name, value)
    output = OpenImageIO.ImageOutput.create("openexr")
    path = Path(file.name)
    if output is None or not output.open(str(path), spec):
        raise _error(OpenImageIO.geterror() if output is None else output.geterror(), path)
    count = max(1, _BAND_BYTES // (4 * width * len(channels)))
    try:
        for top in range(0, height, count):
            bottom = min(top + count, height)
            band = np.ascontiguousarray(rows(slice(top, bottom)), np.float32)
            if not output.write_scanlines(spec.y + top, spec.y + bottom, spec.z, band):
                raise _error(output.geterror(), path)
    finally:
        closed = output.close()
    if not closed:
        raise _error(output.geterror(), path)
    _read_back(path, count)


def _read_back(path: Path, count: int) -> None:
    """Read all rows, `count` at a time. Raises OSError if one can't be read."""
    opened = OpenImageIO.ImageInput.open(str(path))
    if opened is None:
        raise _error(OpenImageIO.geterror(), path)
    spec = opened.spec()
    try:
        for top in range(spec.y, spec.y + spec.height, count):
            bottom = min(top + count, spec.y + spec.height)
            # all channels of a row are compressed together
            if opened.read_scanlines(0, 0, top, bottom, spec.z, 0, 1, "half") is None or opened.has_error:
                raise _error(opened.geterror(), path)
    finally:
        opened.close()


def _error(message: str, path: Path) -> OSError:
    """Make an OSError of OpenImageIO's message, which is its only description of an error."""
    if shutil.disk_usage(path.parent).free < _FULL:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return OSError(message)


def _go_along(spec: Any, like: Path) -> None:
    opened = OpenImageIO.ImageInput.open(str(like))
    if opened is None:
        raise OSError(OpenImageIO.geterror())
    source = opened.spec()
    for name in ("x", "y", "full_x", "full_y", "full_width", "full_height"):
        setattr(spec, name, getattr(source, name))
    for attribute in source.extra_attribs:
        if not attribute.name.lower().startswith(_NOT_ALONG):
            spec.attribute(attribute.name, attribute.type, attribute.value)
    opened.close()
