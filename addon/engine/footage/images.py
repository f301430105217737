"""One image file: its size, its pixels, its colour profile and its EXIF data.

JPEG and WebP are decoded by Pillow, as upstream SAM 2 does; PNG, TIFF and EXR by OpenImageIO, which keeps 16-bit and
float samples; HEIC and RAW are in camera_files.py. The format is recognised by content, except for RAW, which is
recognised by the file's name. All results are upright.

RGB is kept exactly as stored, even if there is alpha (OpenImageIO is told not to multiply it in). From an EXR the data
window of one layer is read: the chosen one, or the one that Blender shows (contract/exr_layers.py). ocio.py converts
float values to sRGB.
"""

from __future__ import annotations

import contextlib
import io
import mmap
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import OpenImageIO
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from ...contract.boundary import check_pixels, reading
from ...contract.camera_files import HEIF_SUFFIXES, RAW_SUFFIXES
from ...contract.errors import FootageError
from ...contract.exif import find_exif, orientation_field, oriented_size, read_orientation, to_oriented
from ...contract.exr_layers import layer_called, read_layers, shown_layer
from .camera_files import (
    is_heif,
    is_raw,
    read_heif,
    read_heif_header,
    read_raw,
    read_raw_size,
)
from .ocio import ToSrgb, srgb_curve

# Pillow warns about large images as possible attacks. Here `check_pixels` limits their size.
Image.MAX_IMAGE_PIXELS = None
_FORMATS = (
    "JPEG",
    "PNG",
    "TIFF",
    "WEBP",
    "BMP",
    "TGA",
)  # formats of masks; for others, such as EPS, Pillow runs programs
_MAX_CHANNELS = 64  # of an EXR, read together

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".exr", ".webp"}) | HEIF_SUFFIXES | RAW_SUFFIXES
# libjpeg's warning about extra bytes before a marker of a JPEG's header (ITU-T T.81 annex B: SOF, DQT, DRI, APPn, COM,
# EOI), as some cameras leave them. Before other markers (RST, DHT and SOS of later scans) they mean damaged data.
_HARMLESS = re.compile(r"extraneous bytes before marker 0x(c[0-2]|d[9bd]|e.|fe)")
_BAND = 512  # rows converted at a time, so that no second full frame is needed
_SAMPLES: dict[str, Any] = {
    "uint8": np.uint8,
    "uint16": np.uint16,
    "half": np.float32,
    "float": np.float32,
    "double": np.float32,
}
# Tags of a TIFF file's first directory that describe the picture, not how its pixels are stored
# (EXIF 2.32, 4.6.4): description, make, model, resolution, software, date, artist, copyright, EXIF, GPS.
_TIFF_EXIF_TAGS = (270, 271, 272, 282, 283, 296, 305, 306, 315, 33432, 34665, 34853)
_ORIENTATION_TAG = 274
_EXIF_MARK = b"Exif\0\0"
_MAX_XMP = 16 * 1024 * 1024  # bytes
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:\s*=\s*[\"']|\s*>\s*))[1-8]")

Pixels = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Header:
    """Facts that need no decoding. width, height: in upright pixels; dtype: that of `Plate.pixels`."""

    width: int
    height: int
    dtype: np.dtype[Any]


@dataclass(frozen=True, slots=True)
class Plate:
    """A frame at full size and depth, upright.

    pixels: (H, W, 3) RGB with the source's own values: uint8 or uint16 as encoded, float32 scene-linear. Grey images
        have three equal channels.
    icc: the source's colour profile, if it is an RGB profile.
    exif: the source's EXIF as a TIFF structure, unchanged except for the orientation, which is set to 1.
    alpha: (H, W) of the same dtype; None if it was not asked for or the source has none.
    xmp: the source's XMP packet (drones store poses in it), with the orientation set to 1.
    cicp: colour primaries and transfer function (ISO/IEC 23091-2) of wide gamut and high dynamic range sources; None
        for Rec. 709 and sRGB.
    """

    pixels: Pixels
    icc: bytes | None = None
    exif: bytes | None = None
    alpha: Pixels | None = None
    xmp: bytes | None = None
    cicp: tuple[int, int] | None = None


def read_header(path: Path, layer: str = "") -> Header:
    """Read an image's header.

    Raises:
        FootageError: the file is missing, not an image or CMYK, or it lacks the layer or has unsupported samples.
    """
    with _reading(path):
        orientation = orientation_of(path)
        kind = _kind(path)
        if layer and kind != "openimageio":
            raise _no_layer(path, layer)
        if kind == "raw":
            return Header(*read_raw_size(path), np.dtype(np.uint16))
        if kind == "heif":
            width, height, deep = read_heif_header(path)
            return Header(width, height, np.dtype(np.uint16 if deep else np.uint8))
        if kind == "pillow":
            with open_image(path) as image:
                _refuse_cmyk(path, image.mode == "CMYK")
                return Header(*oriented_size(*image.size, orientation), np.dtype(np.uint8))
        with _openimageio(path, layer) as (file, prefix):
            spec = file.spec()
            _channels(path, spec, prefix)
            return Header(*oriented_size(spec.width, spec.height, orientation), np.dtype(_dtype(path, spec)))


def orientation_of(path: Path) -> int:
    """The EXIF orientation that has to be applied to the decoded pixels of a file. Raises OSError."""
    return 1 if is_raw(path) else read_orientation(path)


def float_format(path: Path, layer: str = "") -> str:
    """The type of an image's float samples: half or float (double is read as float). Raises FootageError."""
    with _reading(path), _openimageio(path, layer) as (file, _):
        return "half" if str(file.spec().format) == "half" else "float"


def read_plate(path: Path, *, alpha: bool = False, layer: str = "") -> Plate:
    """Decode an image at full size, with its alpha channel if `alpha` is set. Raises FootageError.

    layer: name of the layer of an EXR; empty: the one that Blender shows.
    """
    with _reading(path):
        orientation = orientation_of(path)
        kind = _kind(path)
        if kind == "raw":
            return Plate(read_raw(path), exif=_exif(path))
        if kind == "heif":
            heif = read_heif(path)
            exif = heif.exif and _upright_exif(heif.exif.removeprefix(_EXIF_MARK))
            return Plate(heif.pixels, heif.icc, exif, heif.alpha if alpha else None, _upright_xmp(heif.xmp))
        if kind == "pillow":
            with open_image(path) as image:
                _refuse_cmyk(path, image.mode == "CMYK")
                icc = image.info.get("icc_profile")
                pixels: Pixels = _decode_lossy(path, image)
                has_alpha = alpha and image.mode == "RGBA"
                transparency: Pixels | None = np.asarray(image.getchannel("A")) if has_alpha else None
        else:
            pixels, transparency, icc = _decode(path, alpha, layer)
        if icc is not None and icc[16:20] != b"RGB ":  # a grey profile does not apply to RGB pixels
            icc = None
        if transparency is not None:
            transparency = upright(transparency, orientation)
        return Plate(upright(pixels, orientation), icc, _exif(path), transparency, _xmp(path))


def read_model_input(path: Path, side: int, to_srgb: ToSrgb = srgb_curve, *, layer: str = "") -> NDArray[np.uint8]:
    """The upright image squashed to uint8 (side, side, 3) sRGB, which is SAM 2's input. Raises FootageError.

    It is bit for bit equal to upstream's `Image.open(path).convert("RGB").resize((side, side))` of the upright 8-bit
    image, up to a shorter side of 4 x `side`. A larger JPEG is decoded at a reduced scale of its DCT, which is at least
    twice as large as needed. 16-bit samples keep their upper byte, as in Pillow.
    """
    with _reading(path):
        orientation = orientation_of(path)
        kind = _kind(path)
        box: tuple[float, float, float, float] | None = None
        if kind == "raw":
            pixels = to_8_bit(read_raw(path, at_least=2 * side))
        elif kind == "heif":
            pixels = to_8_bit(read_heif(path).pixels)
        elif kind == "pillow":
            with open_image(path) as image:
                _refuse_cmyk(path, image.mode == "CMYK")
                full = image.width
                drafted = image.draft("RGB", (2 * side, 2 * side))
                pixels = _decode_lossy(path, image, 1 if drafted is None else round(full / image.width))
            if drafted is not None:
                # a reduced decode rounds its size up: the image ends inside the last pixel
                _, (_, _, right, bottom) = drafted
                height, width = pixels.shape[:2]
                x0, y0 = to_oriented(0, 0, width, height, orientation)
                x1, y1 = to_oriented(right, bottom, width, height, orientation)
                box = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
        else:
            pixels = to_8_bit(_decode(path, layer=layer)[0], to_srgb)
        return squash(upright(pixels, orientation), side, box)


def squash(
    pixels: NDArray[np.uint8], side: int, box: tuple[float, float, float, float] | None = None
) -> NDArray[np.uint8]:
    """Resize uint8 (H, W, 3), or its part `box` (x0, y0, x1, y1), to (side, side, 3) by Pillow's bicubic filter."""
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC, box))


def upright(pixels: Any, orientation: int) -> Any:
    """Rotate and mirror (H, W, ...) according to an EXIF orientation. The result is contiguous."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)  # 5; the others are mirrored from there
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def as_stored(pixels: Any, orientation: int) -> Any:
    """The inverse of `upright`."""
    return upright(
        pixels, {6: 8, 8: 6}.get(orientation, orientation)
    )  # a mirror is its own inverse, a quarter turn is not


def to_8_bit(pixels: Pixels, to_srgb: ToSrgb = srgb_curve) -> NDArray[np.uint8]:
    """Convert a plate's pixels to 8-bit sRGB."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    if pixels.dtype == np.uint16:
        return np.right_shift(pixels, 8, dtype=np.uint16).astype(np.uint8)
    result = np.empty(pixels.shape, np.uint8)
    for row in range(0, len(pixels), _BAND):
        result[row : row + _BAND] = np.rint(to_srgb(pixels[row : row + _BAND]) * 255)
    return result


def to_integers(pixels: Pixels, to_srgb: ToSrgb = srgb_curve) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Convert a plate's pixels to integers, for a PNG: integers stay as they are, float becomes 16-bit sRGB.

    Float values are clipped to 0..1; NaN becomes 0.
    """
    if pixels.dtype != np.float32:
        return cast("NDArray[np.uint8] | NDArray[np.uint16]", pixels)
    result = np.empty(pixels.shape, np.uint16)
    for row in range(0, len(pixels), _BAND):
        result[row : row + _BAND] = np.rint(to_srgb(pixels[row : row + _BAND]) * 65535)
    return result


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn a decoder's exception into a FootageError that names the file."""
    damaged = "The image is damaged or incomplete"
    with reading(FootageError, damaged, where=str(path), hint="Copy or render it again."):
        try:
            yield
        except FileNotFoundError:
            raise FootageError(
                "The image is missing.", where=str(path), hint="Put it back, or load the footage again."
            ) from None
        except PermissionError:
            raise FootageError(
                "The image can't be read: permission denied.", where=str(path), hint="Change its permissions."
            ) from None


@contextlib.contextmanager
def open_image(path: Path) -> Iterator[Image.Image]:
    """Open an image with Pillow and check its size, without decoding it. Raises FootageError or Pillow's errors."""
    with Image.open(path, formats=_FORMATS) as image:
        check_pixels(*image.size, FootageError, str(path))
        yield image


def _kind(path: Path) -> str:
    """The decoder of an image: pillow (JPEG, WebP), openimageio, heif or raw. Raises FootageError if there is none."""
    with path.open("rb") as file:
        head = file.read(12)
    if not head:
        raise FootageError("The image is empty (0 bytes).", where=str(path), hint="Copy or render it again.")
    if is_raw(path):
        return "raw"
    if is_heif(head):
        return "heif"
    if head.startswith(b"\xff\xd8") or (head[:4] == b"RIFF" and head[8:] == b"WEBP"):
        return "pillow"
    if head.startswith((b"\x89PNG", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\x76\x2f\x31\x01")):
        return "openimageio"
    raise FootageError(
        "This is not an image that can be read.", where=str(path), hint="Use JPEG, PNG, TIFF, EXR, WebP or HEIC."
    )


@contextlib.contextmanager
def _openimageio(path: Path, layer: str = "") -> Iterator[tuple[Any, str]]:
    """An open OpenImageIO.ImageInput at the part with the layer, and the prefix of the layer's channels.

    Raises:
        OSError: the file can't be opened.
        FootageError: it has no such layer.
    """
    config = OpenImageIO.ImageSpec()
    config.attribute("oiio:UnassociatedAlpha", 1)
    file = OpenImageIO.ImageInput.open(str(path), config)
    if file is None:
        raise OSError(OpenImageIO.geterror() or "unknown format")
    try:
        prefix = _seek_layer(path, file, layer)
        check_pixels(file.spec().width, file.spec().height, FootageError, str(path))
        _refuse_cmyk(path, file.spec().getattribute("tiff:ColorSpace") == "CMYK")
        yield file, prefix
    finally:
        file.close()


def _decode_lossy(path: Path, image: Image.Image, factor: int = 1) -> NDArray[np.uint8]:
    """Decode (H, W, 3) as stored, from an image that `Image.draft` made `factor` times smaller. Raises ValueError.

    simplejpeg gives the same pixels as Pillow in half the time. Unlike Pillow it reports libjpeg's warnings: after
    damaged data in the middle the rest of the picture is wrong. Pillow reads files that are only unusual.
    """
    if image.format == "JPEG":
        # a mapping of its own goes back to the system at once; blocks of malloc's arenas, as large as photos, add up
        with path.open("rb") as file, mmap.mmap(-1, path.stat().st_size) as data:
            file.readinto(data)
            try:
                jpeg: NDArray[np.uint8] = simplejpeg.decode_jpeg(
                    data, colorspace="RGB", min_width=image.width, min_height=image.height, min_factor=factor
                )
                if jpeg.shape == (image.height, image.width, 3):
                    return jpeg
            except ValueError as warning:
                if str(warning).startswith(("Corrupt JPEG data", "Bogus")) and not _HARMLESS.search(str(warning)):
                    raise
    return np.asarray(image.convert("RGB"))


def _decode(path: Path, alpha: bool = False, layer: str = "") -> tuple[Pixels, Pixels | None, bytes | None]:
    """Decode an image as stored: pixels (H, W, 3); alpha (H, W), if it is wanted and there; the colour profile."""
    with _openimageio(path, layer) as (file, prefix):
        spec = file.spec()
        dtype = _dtype(path, spec)
        channels = _channels(path, spec, prefix)
        wanted = [*channels, *_alpha_channel(spec, channels)] if alpha else channels
        first, last = min(wanted), max(wanted) + 1
        if last - first > _MAX_CHANNELS:  # all between them are read together
            raise ValueError(f"its red, green and blue are spread over {last - first} channels")
        kind = "float" if dtype is np.float32 else str(spec.format)
        pixels = file.read_image(file.current_subimage(), 0, first, last, kind)
        if pixels is None or file.has_error:
            raise OSError(file.geterror() or "unknown error")
        icc = spec.getattribute("ICCProfile")
        pixels = pixels.reshape(spec.height, spec.width, last - first)
        transparency = np.ascontiguousarray(pixels[..., wanted[3] - first]) if len(wanted) > 3 else None
        if channels != [first, first + 1, first + 2] or last - first != 3:
            pixels = pixels[..., [channel - first for channel in channels]]
        return pixels, transparency, None if icc is None else bytes(icc)


def _dtype(path: Path, spec: Any) -> Any:
    kind = str(spec.format)
    if kind not in _SAMPLES:
        raise FootageError(
            f"The image has {kind} samples, which can't be read as colours.",
            where=str(path),
            hint="Use 8 or 16 bits a channel, or float.",
        )
    return _SAMPLES[kind]


def _channels(path: Path, spec: Any, prefix: str) -> list[int]:
    """The indices of R, G and B, which are equal for a grey image. Raises FootageError if there are none."""
    names = [name.lower() for name in spec.channelnames]
    wanted = [f"{prefix}.{channel}".lower() if prefix else channel for channel in "rgb"]
    if all(name in names for name in wanted):
        return [names.index(name) for name in wanted]
    grey = [i for i, name in enumerate(names) if i != spec.alpha_channel and name not in ("a", "z")]
    # TIFF 6.0: photometric 0 and 1 are grey. Further channels are extra samples (338), which OpenImageIO calls G.
    if len(grey) == 1 or spec.getattribute("tiff:PhotometricInterpretation") in (0, 1):
        return grey[:1] * 3
    raise FootageError(
        f"The image has no red, green and blue channels; it has {', '.join(spec.channelnames)}.",
        where=str(path),
        hint="Render or convert it to RGB.",
    )


def _seek_layer(path: Path, file: Any, wanted: str) -> str:
    """Seek to the part of an EXR with the layer. Returns the prefix of the layer's channels. Raises FootageError."""
    layers = read_layers(path)
    layer = layer_called(wanted, layers) if wanted else shown_layer(layers)
    if layer is None and wanted:
        raise _no_layer(path, wanted)
    file.seek_subimage(layer.part if layer else 0, 0)
    return layer.prefix if layer else ""


def _no_layer(path: Path, wanted: str) -> FootageError:
    there = ", ".join(layer.name for layer in read_layers(path) if layer.name)
    return FootageError(
        f"It has no layer {wanted!r} with red, green and blue.",
        where=str(path),
        hint=f"It has {there}." if there else "It has none with a name: leave it out.",
    )


def _alpha_channel(spec: Any, channels: list[int]) -> list[int]:
    """The index of the alpha channel in the same layer as `channels`; empty if there is none."""
    layer = spec.channelnames[channels[0]].rpartition(".")[0]
    name = f"{layer}.a" if layer else "a"
    named = [i for i, channel in enumerate(spec.channelnames) if channel.lower() == name]
    return named or ([spec.alpha_channel] if spec.alpha_channel >= 0 and not layer else [])


def _refuse_cmyk(path: Path, is_cmyk: bool) -> None:
    if is_cmyk:
        raise FootageError(
            "The image is CMYK, for print. Converting it to RGB would change its values.",
            where=str(path),
            hint="Convert the footage to RGB first.",
        )


def _exif(path: Path) -> bytes | None:
    with path.open("rb") as file:
        try:
            found = find_exif(file)
        except struct.error:
            found = None
        if found is not None:
            start, size = found
            file.seek(start)
            return _upright_exif(file.read(size))
        file.seek(0)
        if file.read(4) in (b"II*\0", b"MM\0*"):
            file.seek(0)
            return _tiff_exif(file)
    return None


def _xmp(path: Path) -> bytes | None:
    """The XMP packet of a JPEG, PNG, TIFF or WebP file; None for other files, or if it is damaged."""
    try:
        with open_image(path) as image:
            found = image.info.get("xmp")
    except Exception:  # a decoder may raise anything; the pixels have been read already
        return None
    return _upright_xmp(found)


def _upright_xmp(found: Any) -> bytes | None:
    """An XMP packet with its orientation set to 1; None if it is not XMP or too large."""
    if isinstance(found, str):
        found = found.encode()
    if not isinstance(found, bytes) or len(found) > _MAX_XMP:
        return None
    return _XMP_ORIENTATION.sub(rb"\g<1>1", found)


def _upright_exif(exif: bytes) -> bytes:
    """EXIF data with its orientation set to 1 in place, so that nothing else moves (a MakerNote contains offsets)."""
    try:
        field = orientation_field(io.BytesIO(exif), 0)
    except struct.error:
        field = None
    if field is None:
        return exif
    at, kind = field
    return exif[:at] + struct.pack(kind, 1) + exif[at + struct.calcsize(kind) :]


def _tiff_exif(file: Any) -> bytes | None:
    """EXIF data made from a TIFF file's tags. In the file they are mixed with the tags about its pixels."""
    source = Image.Exif()
    source.load_from_fp(file)
    kept = Image.Exif()
    for tag in _TIFF_EXIF_TAGS:
        if tag in source:
            kept[tag] = source.get_ifd(tag) if tag in (34665, 34853) else source[tag]
    if not len(kept):
        return None
    if _ORIENTATION_TAG in source:
        kept[_ORIENTATION_TAG] = 1
    return kept.tobytes().removeprefix(_EXIF_MARK)
