"""The layers of an OpenEXR file, read from its header.

The name of a layer is the part of its channels' names before the last point: `ViewLayer.Combined` for the channel
`ViewLayer.Combined.R`. Standard library only; both processes import it, so Blender and the engine choose the same
layer.

Source: OpenEXR, "OpenEXR File Layout" (header attributes, channel lists, multi-part files).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

_MAGIC = b"\x76\x2f\x31\x01"
_MULTI_PART = 0x1000  # of the version field
_MAX_PARTS = 256
_MAX_ATTRIBUTES = 10_000  # of a part
_MAX_NAME = 256  # bytes; the format allows 255
_MAX_VALUE = 1 << 20  # bytes of an attribute that is read
_COLOURS = ("r", "g", "b")


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer with the channels red, green and blue.

    part: index of the part that contains it, from 0.
    title: the name of the part; may be empty.
    prefix: the beginning of its channels' names, without the point; empty for channels called R, G and B.
    """

    part: int
    title: str
    prefix: str

    @property
    def name(self) -> str:
        """The name by which it is chosen; empty if it has none."""
        return self.prefix or self.title


def read_layers(path: str | os.PathLike[str]) -> list[Layer]:
    """All layers with red, green and blue channels, in the order of the file.

    The list is empty for other formats and for files that are cut short. Raises OSError if the file can't be read.
    """
    with open(path, "rb") as file:  # noqa: PTH123 (a str may come in)
        try:
            return [
                Layer(part, title, prefix)
                for part, (title, channels) in enumerate(_parts(file))
                for prefix in _prefixes(channels)
            ]
        except (struct.error, ValueError):
            return []


def shown_layer(layers: Sequence[Layer]) -> Layer | None:
    """The layer that Blender's clip editor shows; None if there are no layers.

    In a single-part file it shows the channels R, G and B without a layer name, if there are any. Otherwise it shows
    the layer or part called Combined, or else the first layer (measured in 4.2, 4.5, 5.0 and 5.2;
    blenkernel/intern/movieclip.cc, movieclip_convert_multilayer_add_pass).
    """
    one_part = not any(layer.part for layer in layers)
    plain = (layer for layer in layers if one_part and not layer.prefix)
    combined = (layer for layer in layers if _is_combined(layer.prefix) or _is_combined(layer.title))
    return next(plain, None) or next(combined, None) or next(iter(layers), None)


def layer_called(name: str, layers: Sequence[Layer]) -> Layer | None:
    """The layer with this name, or the layer in a part with this name; None if there is neither."""
    named = (layer for layer in layers if layer.name == name)
    return next(named, None) or next((layer for layer in layers if name in (layer.title, layer.prefix)), None)


def _is_combined(name: str) -> bool:
    """Whether a layer is Blender's rendered picture: ViewLayer.Combined."""
    return name.rpartition(".")[2].casefold() == "combined"


def _prefixes(channels: list[str]) -> list[str]:
    colours: dict[str, set[str]] = {}
    for channel in channels:
        prefix, _, colour = channel.rpartition(".")
        colours.setdefault(prefix, set()).add(colour.casefold())
    return [prefix for prefix, found in colours.items() if found.issuperset(_COLOURS)]


def _parts(file: BinaryIO) -> Iterator[tuple[str, list[str]]]:
    """The name and the channel names of each part. Raises struct.error or ValueError."""
    if file.read(4) != _MAGIC:
        return
    (version,) = struct.unpack("<I", file.read(4))
    for _ in range(_MAX_PARTS if version & _MULTI_PART else 1):
        attributes = dict(_attributes(file))
        if not attributes:  # the list of headers ends with an empty one
            return
        title = attributes.get("name", b"").decode(errors="replace").rstrip("\0")
        yield title, list(_channels(attributes.get("channels", b"")))


def _attributes(file: BinaryIO) -> Iterator[tuple[str, bytes]]:
    for _ in range(_MAX_ATTRIBUTES):
        name = _text(file)
        if not name:
            return
        _text(file)  # its type
        (size,) = struct.unpack("<I", file.read(4))
        wanted = name in ("name", "channels") and size <= _MAX_VALUE
        if wanted:
            value = file.read(size)
        else:
            file.seek(size, os.SEEK_CUR)
            value = b""
        yield name, value


def _channels(value: bytes) -> Iterator[str]:
    """The names in a channel list: each ends with 0, then 16 bytes follow; an empty name ends it."""
    at = 0
    while (end := value.find(b"\0", at)) > at:
        yield value[at:end].decode(errors="replace")
        at = end + 1 + 16


def _text(file: BinaryIO) -> str:
    """Read a zero-terminated name. Raises struct.error or ValueError."""
    data = bytearray()
    while (byte := file.read(1)) != b"\0":
        if not byte or len(data) >= _MAX_NAME:
            raise ValueError("a name does not end")
        data += byte
    return data.decode(errors="replace")
