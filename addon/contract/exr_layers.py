"""Which pictures an OpenEXR file holds: its parts and layers, from the header alone.

A layer is what its channels' names have before the last point: ViewLayer.Combined.R. Standard library only; both
processes import it, so that what Blender shows and what the engine reads is decided here alone.

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
    """A picture in red, green and blue.

    part: index of the part that it is in, from 0.
    title: what the part is called; may be empty.
    prefix: what its channels' names begin with, without the point; empty of those called R, G, B.
    """

    part: int
    title: str
    prefix: str

    @property
    def name(self) -> str:
        """What it is called where one is chosen; empty if it has no name."""
        return self.prefix or self.title


def read_layers(path: str | os.PathLike[str]) -> list[Layer]:
    """All layers with red, green and blue, in the order of the file.

    Empty too of other formats and of what is cut short. Raises OSError.
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
    """Which of them Blender's clip editor shows; None of none.

    In a file without several parts R, G and B without a layer; else the layer or part called Combined; else the first
    (measured in 4.2, 4.5, 5.0 and 5.2; blenkernel/intern/movieclip.cc, movieclip_convert_multilayer_add_pass).
    """
    one_part = not any(layer.part for layer in layers)
    plain = (layer for layer in layers if one_part and not layer.prefix)
    combined = (layer for layer in layers if _is_combined(layer.prefix) or _is_combined(layer.title))
    return next(plain, None) or next(combined, None) or next(iter(layers), None)


def layer_called(name: str, layers: Sequence[Layer]) -> Layer | None:
    """The layer that is meant, by its own name or its part's; None if there is none."""
    named = (layer for layer in layers if layer.name == name)
    return next(named, None) or next((layer for layer in layers if name in (layer.title, layer.prefix)), None)


def _is_combined(name: str) -> bool:
    """Whether it is Blender's picture itself: ViewLayer.Combined."""
    return name.rpartition(".")[2].casefold() == "combined"


def _prefixes(channels: list[str]) -> list[str]:
    colours: dict[str, set[str]] = {}
    for channel in channels:
        prefix, _, colour = channel.rpartition(".")
        colours.setdefault(prefix, set()).add(colour.casefold())
    return [prefix for prefix, found in colours.items() if found.issuperset(_COLOURS)]


def _parts(file: BinaryIO) -> Iterator[tuple[str, list[str]]]:
    """Name and channels of each part. Raises struct.error, ValueError."""
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
    """A name that ends with 0. Raises struct.error, ValueError."""
    data = bytearray()
    while (byte := file.read(1)) != b"\0":
        if not byte or len(data) >= _MAX_NAME:
            raise ValueError("a name does not end")
        data += byte
    return data.decode(errors="replace")
