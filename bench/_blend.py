"""A small valid .blend file with a mask, written without Blender, for benchmarks that damage it."""

from __future__ import annotations

import struct


def blend(next_layer: int = 0, next_shape: int = 0, corners: int = 1, last: bytes = b"") -> bytes:
    """Return a .blend with the mask `Mask`, its layer `Layer` and a key on frame 3; it has only the structs that are
    read.

    The arguments make it invalid: the pointers to the next layer and shape, the number of corners, trailing bytes.
    """

    def block(code: bytes, address: int, index: int, data: bytes) -> bytes:
        return struct.pack("<4siQii", code, len(data), address, index, 1) + data

    return (
        b"BLENDER-v402"
        + block(b"MS\0\0", 0x10, 2, struct.pack("<66s2Q", b"MSMask", 0x20, 0x20))
        + block(b"DATA", 0x20, 3, struct.pack("<Q66s2Q", next_layer, b"Layer", 0x30, 0x30))
        + block(b"DATA", 0x30, 4, struct.pack("<2Q2i", next_shape, 0x40, corners, 3))
        + block(b"DATA", 0x40, 1, struct.pack("<8f", *range(8)))
        + block(b"DNA1", 0x50, 0, _catalogue())
        + (last or block(b"ENDB", 0, 0, b""))
    )


def _catalogue() -> bytes:
    """Return the struct catalogue (SDNA) of that .blend."""
    names = [b"id", b"name[66]", b"masklayers", b"*first", b"*last", b"*next", b"splines_shapes", b"*data"]
    names += [b"tot_vert", b"frame"]
    kinds = [(b"ID", 66), (b"ListBase", 16), (b"Mask", 82), (b"MaskLayer", 90), (b"MaskLayerShape", 24)]
    kinds += [(b"char", 1), (b"int", 4), (b"void", 0)]
    structs = [  # the struct's type, then type and name of each member
        (0, [(5, 1)]),
        (1, [(7, 3), (7, 4)]),
        (2, [(0, 0), (1, 2)]),
        (3, [(7, 5), (5, 1), (1, 6)]),
        (4, [(7, 5), (7, 7), (6, 8), (6, 9)]),
    ]

    def aligned(data: bytes) -> bytes:
        return data + bytes(-len(data) % 4)

    data = b"SDNANAME" + struct.pack("<i", len(names)) + b"".join(name + b"\0" for name in names)
    data = aligned(data) + b"TYPE" + struct.pack("<i", len(kinds)) + b"".join(name + b"\0" for name, _ in kinds)
    data = aligned(data) + b"TLEN" + struct.pack(f"<{len(kinds)}h", *(size for _, size in kinds))
    data = aligned(data) + b"STRC" + struct.pack("<i", len(structs))
    for kind, members in structs:
        data += struct.pack("<2h", kind, len(members)) + b"".join(struct.pack("<2h", *member) for member in members)
    return data
