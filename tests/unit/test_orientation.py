"""The geometry of EXIF orientation, and files that are not what they claim."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from addon.contract.exif import oriented_size, read_orientation, to_oriented, to_stored

WIDTH, HEIGHT = 7, 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_to_stored_undoes_to_oriented(orientation: int) -> None:
    for x, y in [(0.0, 0.0), (0.5, 0.5), (6.5, 3.5), (2.25, 1.75), (7.0, 4.0)]:
        there = to_oriented(x, y, WIDTH, HEIGHT, orientation)
        assert to_stored(*there, WIDTH, HEIGHT, orientation) == (x, y)
        upright = oriented_size(WIDTH, HEIGHT, orientation)
        assert 0 <= there[0] <= upright[0]
        assert 0 <= there[1] <= upright[1]


def test_turned_camera() -> None:
    """6, a camera turned to the left: what is stored top left is seen top right."""
    assert oriented_size(WIDTH, HEIGHT, 6) == (HEIGHT, WIDTH)
    assert to_oriented(0.5, 0.5, WIDTH, HEIGHT, 6) == (HEIGHT - 0.5, 0.5)


def tiff(order: str, value: int, kind: int = 3, count: int = 1) -> bytes:
    """A TIFF structure whose only tag is the orientation."""
    mark = b"II" if order == "<" else b"MM"
    field = struct.pack(f"{order}H2x" if kind == 3 else f"{order}I", value)
    return mark + struct.pack(f"{order}HIHHHI", 42, 8, 1, 0x0112, kind, count) + field + bytes(4)


def big_tiff(order: str, value: int, ifd: int = 16) -> bytes:
    mark = b"II" if order == "<" else b"MM"
    return mark + struct.pack(f"{order}HHHQQHHQH6xQ", 43, 8, 0, ifd, 1, 0x0112, 3, 1, value, 0)


def jpeg(*segments: tuple[int, bytes]) -> bytes:
    return b"\xff\xd8" + b"".join(struct.pack(">HH", marker, len(data) + 2) + data for marker, data in segments)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (tiff("<", 6), 6),
        (tiff(">", 8), 8),
        (tiff(">", 5, kind=4), 5),
        (big_tiff("<", 3), 3),
        (big_tiff(">", 7), 7),
        (big_tiff("<", 7, ifd=1 << 63), 1),
        (tiff("<", 0), 1),
        (tiff("<", 9), 1),
        (tiff("<", 6, count=2), 1),
        (tiff("<", 6)[:20], 1),
        (jpeg((0xFFE1, b"http://ns.adobe.com/xap/1.0/\0"), (0xFFE1, b"Exif\0\0" + tiff(">", 6))), 6),
        (jpeg((0xFFDA, b"scan"), (0xFFE1, b"Exif\0\0" + tiff(">", 6))), 1),
        (b"\xff\xd8\xff" + jpeg((0xFFE1, b"Exif\0\0" + tiff(">", 6)))[2:], 6),
        (jpeg((0xFFE1, b"Exif\0\0" + tiff(">", 6)))[:-20], 1),
        (b"RIFF\0\0\0\0WEBPVP8X\x01\0\0\0?\0EXIF\x20\0\0\0" + tiff("<", 4), 4),
        (b"RIFF\0\0\0\0WEBPEXIF\x26\0\0\0Exif\0\0" + tiff("<", 4), 4),
        (b"v/1\x01", 1),  # OpenEXR
        (b"", 1),
        (b"\xff\xd8", 1),
    ],
)
def test_content_decides(tmp_path: Path, content: bytes, expected: int) -> None:
    file = tmp_path / "plate.img"
    file.write_bytes(content)
    assert read_orientation(file) == expected
    assert read_orientation(str(file)) == expected


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_orientation(tmp_path / "nowhere.jpg")
