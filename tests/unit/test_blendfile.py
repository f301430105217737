"""Files that are no .blend, or not one that can be read: told, never a crash. (Real ones: tests/blender.)"""

import struct
from pathlib import Path

import pytest

from addon.clip.blendfile import ShapeKey, read_shape_keys
from addon.contract.errors import JobError

HEADER = b"BLENDER-v402"
LARGE_HEADER = b"BLENDER17-01v0500"
END = struct.pack("<4siQii", b"ENDB", 0, 0, 0, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x28\xb5\x2f\xfd compressed",
        b"BLENDER_v402" + END,  # 32 bit
        b"BLENDER-V402" + END,  # big-endian
        HEADER,
        HEADER + END,
        LARGE_HEADER + struct.pack("<4siQqq", b"ENDB", 0, 0, 0, 0),
        HEADER + struct.pack("<4siQii", b"DNA1", 8, 1, 0, 1) + b"SDNAWHAT",
    ],
)
def test_unreadable(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "mask.blend").write_bytes(data)
    with pytest.raises(JobError, match="blend"):
        read_shape_keys(tmp_path / "mask.blend", "Mask")


def catalogue() -> bytes:
    """Of a .blend with the three structs that are read, and no more in them than that."""
    names = [b"id", b"name[66]", b"masklayers", b"*first", b"*last", b"*next", b"splines_shapes", b"*data"]
    names += [b"tot_vert", b"frame"]
    kinds = [(b"ID", 66), (b"ListBase", 16), (b"Mask", 82), (b"MaskLayer", 90), (b"MaskLayerShape", 24)]
    kinds += [(b"char", 1), (b"int", 4), (b"void", 0)]
    structs = [
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
        data += struct.pack("<2h", kind, len(members)) + b"".join(struct.pack("<2h", *each) for each in members)
    return data


def block(code: bytes, address: int, index: int, data: bytes) -> bytes:
    return struct.pack("<4siQii", code, len(data), address, index, 1) + data


def blend(next_layer: int = 0, next_shape: int = 0, corners: int = 1, floats: int = 8, last: bytes = END) -> bytes:
    """A .blend with the mask `Mask`, its layer `Layer` and a key on frame 3."""
    layer = struct.pack("<Q66s2Q", next_layer, b"Layer", 0x30, 0x30)
    shape = struct.pack("<2Q2i", next_shape, 0x40, corners, 3)
    return (
        HEADER
        + block(b"MS\0\0", 0x10, 2, struct.pack("<66s2Q", b"MSMask", 0x20, 0x20))
        + block(b"DATA", 0x20, 3, layer)
        + block(b"DATA", 0x30, 4, shape)
        + block(b"DATA", 0x40, 1, struct.pack(f"<{floats}f", *range(floats)))
        + block(b"DNA1", 0x50, 0, catalogue())
        + last
    )


def test_a_whole_one(tmp_path: Path) -> None:
    (tmp_path / "mask.blend").write_bytes(blend())
    key = ShapeKey(3, (((0.0, 1.0), (2.0, 3.0), (4.0, 5.0)),))
    assert read_shape_keys(tmp_path / "mask.blend", "Mask") == {"Layer": [key]}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (blend(next_layer=0x20), "without an end"),
        (blend(next_shape=0x30), "without an end"),
        (blend(next_layer=0x99), "doesn't hold"),
        (blend(corners=2), "another length"),
        (blend(corners=-1), "another length"),
        (blend(corners=2**31 - 1), "another length"),
        (blend(last=struct.pack("<4siQii", b"DATA", -24, 0x60, 0, 0)), "negative"),
    ],
)
def test_damaged(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "mask.blend").write_bytes(data)
    with pytest.raises(JobError, match=words):
        read_shape_keys(tmp_path / "mask.blend", "Mask")


def test_any_byte_may_be_wrong(tmp_path: Path) -> None:
    whole = blend()
    for at in range(len(whole)):
        for value in (127, 128):
            (tmp_path / "mask.blend").write_bytes(whole[:at] + bytes([value]) + whole[at + 1 :])
            try:
                read_shape_keys(tmp_path / "mask.blend", "Mask")
            except JobError:
                pass
