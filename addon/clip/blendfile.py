"""Reads the shape keys of masks from a .blend file, as Blender's Python API does not expose them.

It parses only what it needs of the file format: header, blocks, and the struct catalogue (SDNA) that every .blend
carries. Members are found by name, not by fixed offset, so changed structs are still read. Uncompressed, little-endian,
64 bit: what every supported Blender writes with compress=False. Standard library only.

Source: Blender's doc/blender_file_format; blenloader/BLO_core_bhead.hh for the larger headers since 5.0.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..contract.boundary import reading
from ..contract.errors import JobError

_FLOATS_PER_POINT = 8  # left handle, point, right handle (x, y each), weight, radius
_POINTER_SIZE = 8
_MAX_BYTES = 1_000_000_000  # largest size of a file with one mask
_STRUCTS = ("Mask", "MaskLayer", "MaskLayerShape")

ControlPoint = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
# left handle, point, right handle; in the mask's own coordinates


@dataclass(frozen=True, slots=True)
class ShapeKey:
    """A key of one mask layer on one scene frame. points: the points of all its splines, in order."""

    frame: int
    points: tuple[ControlPoint, ...]


def read_shape_keys(path: Path, mask: str) -> dict[str, list[ShapeKey]]:
    """Return the shape keys of the mask data-block `mask` by layer name, ordered by frame.

    Raises:
        JobError: the file can't be read, is damaged or not an uncompressed 64-bit .blend, or does not contain the mask.
    """
    hint = "Use markers instead, and please report this."
    with reading(JobError, "The mask's keys can't be read in this Blender", where=mask, hint=hint):
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError("it takes too much space")
        file = _BlendFile(path.read_bytes())
        for block in file.blocks:
            if block.code == b"MS\0\0":
                data = file.struct_at(block.address)
                if data.text("id.name")[2:] == mask:
                    return {layer.text("name"): _shape_keys(layer) for layer in data.linked("masklayers")}
        raise ValueError("it is not in the copy")


def _shape_keys(layer: _Struct) -> list[ShapeKey]:
    keys = []
    for shape in layer.linked("splines_shapes"):
        floats = shape.floats("data", shape.integer("tot_vert") * _FLOATS_PER_POINT)
        points = tuple(
            ((a, b), (c, d), (e, f)) for a, b, c, d, e, f, _, _ in zip(*[iter(floats)] * _FLOATS_PER_POINT, strict=True)
        )
        keys.append(ShapeKey(shape.integer("frame"), points))
    return sorted(keys, key=lambda key: key.frame)


@dataclass(frozen=True, slots=True)
class _Block:
    code: bytes
    address: int  # its address in Blender's memory, to which pointers in the file refer
    struct_index: int
    start: int  # byte offset of its contents
    size: int


class _BlendFile:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.blocks = list(self._read_blocks())
        self._by_address = {block.address: block for block in self.blocks}
        catalogue = next((block for block in self.blocks if block.code == b"DNA1"), None)
        if catalogue is None:
            raise ValueError("the .blend has no struct catalogue")
        self.fields = _read_catalogue(self.data[catalogue.start : catalogue.start + catalogue.size])

    def struct_at(self, address: int) -> _Struct:
        block = self._by_address.get(address)
        if block is None:
            raise ValueError("the .blend refers to a block that it doesn't hold")
        return _Struct(self, block)

    def _read_blocks(self) -> Iterator[_Block]:
        if re.fullmatch(rb"BLENDER-v\d{3}", self.data[:12]):
            at, header, classic = 12, struct.Struct("<4siQii"), True
        elif re.fullmatch(rb"BLENDER17-01v\d{4}", self.data[:17]):
            at, header, classic = 17, struct.Struct("<4siQqq"), False
        else:
            raise ValueError("this is not a .blend file, or its format is not supported")
        while at + header.size <= len(self.data):
            code, second, address, fourth, _ = header.unpack_from(self.data, at)
            size, struct_index = (second, fourth) if classic else (fourth, second)
            if size < 0:
                raise ValueError("the .blend has a block with a negative size")
            yield _Block(code, address, struct_index, at + header.size, size)
            at += header.size + size


@dataclass(frozen=True, slots=True)
class _Field:
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class _Struct:
    file: _BlendFile
    block: _Block

    def _bytes(self, name: str) -> bytes:
        field = self.file.fields[self.block.struct_index][name]
        start = self.block.start + field.offset
        return self.file.data[start : start + field.size]

    def text(self, name: str) -> str:
        return self._bytes(name).split(b"\0", 1)[0].decode("utf-8", "replace")

    def integer(self, name: str) -> int:
        return int.from_bytes(self._bytes(name), "little", signed=True)

    def floats(self, name: str, count: int) -> tuple[float, ...]:
        """Return the array of `count` floats that the pointer `name` refers to."""
        if not count:
            return ()
        block = self.file.struct_at(self.integer(name)).block
        if not 0 < count * 4 <= block.size:
            raise ValueError("the .blend has an array whose length differs from its count")
        return struct.unpack_from(f"<{count}f", self.file.data, block.start)

    def linked(self, name: str) -> Iterator[_Struct]:
        """Yield the structs of the linked list `name` (a ListBase: first, last)."""
        address = self.integer(f"{name}.first")
        visited: set[int] = set()
        while address:
            if address in visited:
                raise ValueError("the .blend has a linked list that never ends")
            visited.add(address)
            item = self.file.struct_at(address)
            yield item
            address = item.integer("next")


def _read_catalogue(data: bytes) -> dict[int, dict[str, _Field]]:
    """Return the fields of the needed structs by struct index and field name; fields of embedded structs are
    `outer.inner`.
    """
    names, at = _read_strings(data, len(b"SDNA"), b"NAME")
    types, at = _read_strings(data, at, b"TYPE")
    sizes = struct.unpack_from(f"<{len(types)}h", data, at + 4)
    at = _aligned(at + 4 + 2 * len(types)) + len(b"STRC")
    (count,) = struct.unpack_from("<i", data, at)
    at += 4
    members: list[list[tuple[int, int]]] = []
    kinds: list[int] = []
    for _ in range(count):
        kind, length = struct.unpack_from("<2h", data, at)
        numbers = struct.unpack_from(f"<{2 * length}h", data, at + 4)
        kinds.append(kind)
        members.append(list(zip(numbers[::2], numbers[1::2], strict=True)))
        at += 4 + 4 * length
    struct_of_type = {kind: i for i, kind in enumerate(kinds)}

    def layout(struct_index: int, depth: int) -> dict[str, _Field]:
        fields: dict[str, _Field] = {}
        offset = 0
        for kind, name in members[struct_index]:
            pointer = names[name].startswith(("*", "(*"))
            length = math.prod(int(number) for number in re.findall(r"\[(\d+)\]", names[name]))
            size = length * (_POINTER_SIZE if pointer else sizes[kind])
            bare = re.match(r"[(*]*(\w+)", names[name])
            label = bare[1] if bare else names[name]
            fields[label] = _Field(offset, size)
            if depth and not pointer and kind in struct_of_type:
                for inner, field in layout(struct_of_type[kind], depth - 1).items():
                    fields[f"{label}.{inner}"] = _Field(offset + field.offset, field.size)
            offset += size
        return fields

    return {i: layout(i, 1) for i in range(count) if types[kinds[i]] in _STRUCTS}


def _read_strings(data: bytes, at: int, label: bytes) -> tuple[list[str], int]:
    if data[at : at + 4] != label:
        raise ValueError("the .blend's struct catalogue is damaged")
    (count,) = struct.unpack_from("<i", data, at + 4)
    strings = []
    at += 8
    for _ in range(count):
        end = data.index(b"\0", at)
        strings.append(data[at:end].decode("ascii", "replace"))
        at = end + 1
    return strings, _aligned(at)


def _aligned(at: int) -> int:
    return at + -at % 4
