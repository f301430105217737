"""Files that are no .blend, or not one that can be read: told, never a crash. (Real ones: tests/blender.)"""

import struct
from pathlib import Path

import pytest

from addon.clip.blendfile import read_shape_keys

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
    with pytest.raises(ValueError, match="blend"):
        read_shape_keys(tmp_path / "mask.blend", "Mask")
