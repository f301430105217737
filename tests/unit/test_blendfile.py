"""Files that are not a .blend, or not a readable one: an error, never a crash. (tests/blender has real ones.)"""

import struct
from pathlib import Path

import pytest

from addon.clip.blendfile import ShapeKey, read_shape_keys
from addon.contract.errors import JobError
from bench._blend import blend

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


def test_a_whole_one(tmp_path: Path) -> None:
    (tmp_path / "mask.blend").write_bytes(blend())
    key = ShapeKey(3, (((0.0, 1.0), (2.0, 3.0), (4.0, 5.0)),))
    assert read_shape_keys(tmp_path / "mask.blend", "Mask") == {"Layer": [key]}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (blend(next_layer=0x20), "never ends"),
        (blend(next_shape=0x30), "never ends"),
        (blend(next_layer=0x99), "doesn't hold"),
        (blend(corners=2), "length differs"),
        (blend(corners=-1), "length differs"),
        (blend(corners=2**31 - 1), "length differs"),
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
