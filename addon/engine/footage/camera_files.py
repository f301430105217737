"""Photos in camera formats: HEIC from phones (HEIF with HEVC), and RAW.

libheif decodes HEIC and applies the transformations of the container, so the picture is upright; 10 and 12 bits become
16. LibRaw develops RAW to upright 16-bit sRGB with the camera's white balance. Nothing adapts to the brightness of a
single picture, so a sequence does not flicker. Other programs develop RAW differently: give them the exported images,
or develop the files beforehand.

Both libraries are imported at their first use, as footage from Blender never needs them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...contract.boundary import check_pixels
from ...contract.camera_files import RAW_SUFFIXES
from ...contract.errors import FootageError

# ISO/IEC 23008-12, annex B: the brands of pictures and sequences with HEVC
_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_SRGB_CURVE = (2.4, 12.92)  # IEC 61966-2-1, as LibRaw has it: exponent, slope near black


@dataclass(frozen=True, slots=True)
class Heif:
    """An upright HEIC picture.

    pixels: uint8 or uint16 (H, W, 3), RGB.
    alpha: (H, W) of the same dtype; None if it has none.
    exif: the EXIF data as it is stored, with its "Exif" prefix.
    """

    pixels: NDArray[Any]
    alpha: NDArray[Any] | None
    icc: bytes | None
    exif: bytes | None
    xmp: bytes | None


def is_heif(head: bytes) -> bool:
    """Whether a file is HEIC, by its first 12 bytes."""
    return head[4:8] == b"ftyp" and head[8:12] in _BRANDS


def is_raw(path: Path) -> bool:
    """Whether a file is RAW, by its suffix alone: most RAW files look like a TIFF with a thumbnail inside."""
    return path.suffix.lower() in RAW_SUFFIXES


def read_heif_header(path: Path) -> tuple[int, int, bool]:
    """Width and height in upright pixels; whether it has more than 8 bits. Raises FootageError or libheif's errors."""
    file = _open_heif(path)
    width, height = file.size
    return width, height, file.mode.endswith(";16")


def read_heif(path: Path) -> Heif:
    """Decode a HEIC picture. Raises FootageError or libheif's errors."""
    file = _open_heif(path)
    samples: NDArray[Any] = np.asarray(file)
    if samples.ndim == 2:
        samples = np.dstack([samples] * 3)
    alpha = np.ascontiguousarray(samples[..., 3]) if samples.shape[2] == 4 else None
    info = file.info
    return Heif(
        np.ascontiguousarray(samples[..., :3]), alpha, info.get("icc_profile"), info.get("exif"), info.get("xmp")
    )


def _open_heif(path: Path) -> Any:
    import pillow_heif

    file = pillow_heif.open_heif(path, convert_hdr_to_8bit=False)
    width, height = file.size
    check_pixels(width, height, FootageError, str(path))
    return file


def read_raw_size(path: Path) -> tuple[int, int]:
    """Width and height in upright pixels, without decoding. Raises FootageError or LibRaw's errors."""
    with _open_raw(path) as raw:
        sizes = raw.sizes
        return (sizes.height, sizes.width) if sizes.flip in (5, 6) else (sizes.width, sizes.height)


def read_raw(path: Path, *, at_least: int = 0) -> NDArray[np.uint16]:
    """Develop a RAW file: uint16 (H, W, 3), sRGB, upright. Raises FootageError or LibRaw's errors.

    at_least: pixels that both sides must have; the picture has half the size where that is enough. 0: the full size.
    """
    from rawpy import ColorSpace

    with _open_raw(path) as raw:
        half = bool(at_least) and min(raw.sizes.height, raw.sizes.width) >= 2 * at_least
        developed: NDArray[np.uint16] = raw.postprocess(
            use_camera_wb=True,
            output_color=ColorSpace.sRGB,
            gamma=_SRGB_CURVE,
            output_bps=16,
            no_auto_bright=True,
            adjust_maximum_thr=0.0,
            half_size=half,
        )
        return developed


def _open_raw(path: Path) -> Any:
    import rawpy

    raw = rawpy.RawPy()
    with path.open("rb") as file:  # from memory: on Windows LibRaw can't open paths with letters outside the code page
        raw.open_buffer(file)
    check_pixels(raw.sizes.width, raw.sizes.height, FootageError, str(path))
    return raw
