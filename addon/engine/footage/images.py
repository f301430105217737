"""One image file: its size, its pixels, its colour profile and its EXIF data.

JPEG and WebP are decoded by Pillow, as upstream SAM 2 does; PNG, TIFF and EXR by OpenImageIO, which keeps 16-bit and
float samples; HEIC and RAW are in camera_files.py. But for RAW the content decides, not the file's name. Everything
that leaves here is upright.

RGB is kept exactly as stored, whatever alpha there is beside it (OpenImageIO would multiply it in, unless told). EXR:
the data window of the layer that is asked for by its name, or of that which Blender shows (contract/exr_layers.py).
How float values become colours to look at, ocio.py says.
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

# Pillow warns of large images as possible attacks; here `check_pixels` says how large they may be.
Image.MAX_IMAGE_PIXELS = None
_FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "TGA")  # of masks; Pillow hands others to programs, as EPS
_MAX_CHANNELS = 64  # of an EXR, read together

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".exr", ".webp"}) | HEIF_SUFFIXES | RAW_SUFFIXES
# Rubbish before a marker of a JPEG's header (ITU-T T.81 annex B: SOF, DQT, DRI, APPn, COM, EOI), as some cameras leave
# it; before others (RST, DHT and SOS of later scans) it is what is left of damaged data.
_HARMLESS = re.compile(r"extraneous bytes before marker 0x(c[0-2]|d[9bd]|e.|fe)")
_BAND = 512  # rows converted at a time, so that no second full frame is needed
_SAMPLES: dict[str, Any] = {
    "uint8": np.uint8,
    "uint16": np.uint16,
    "half": np.float32,
    "float": np.float32,
    "double": np.float32,
}
# What a TIFF file's first directory says about the picture rather than about how its pixels are stored
# (EXIF 2.32, 4.6.4): description, make, model, resolution, software, date, artist, copyright, EXIF, GPS.
_TIFF_EXIF_TAGS = (270, 271, 272, 282, 283, 296, 305, 306, 315, 33432, 34665, 34853)
_ORIENTATION_TAG = 274
_EXIF_MARK = b"Exif\0\0"
_MAX_XMP = 16 * 1024 * 1024  # bytes
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:\s*=\s*[\"']|\s*>\s*))[1-8]")

Pixels = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Header:
    """What is known without decoding. width, height: upright pixels; dtype: of `Plate.pixels`."""

    width: int
    height: int
    dtype: np.dtype[Any]


@dataclass(frozen=True, slots=True)
class Plate:
    """A frame at full size and depth, upright.

    pixels: (H, W, 3) RGB, the source's own values: uint8 or uint16 as encoded, float32 scene-linear. Grey is repeated.
    icc: the source's colour profile, if it is one of RGB.
    exif: the source's EXIF as a TIFF structure, untouched but for the orientation, which is 1.
    alpha: (H, W) of the same dtype, if it was asked for and the source has it.
    xmp: the source's XMP packet (poses and gimbal of drones), its orientation 1.
    cicp: primaries and transfer function by ISO/IEC 23091-2 where they are not those of Rec. 709 or sRGB: wide gamut
        and high dynamic range.
    """

    pixels: Pixels
    icc: bytes | None = None
    exif: bytes | None = None
    alpha: Pixels | None = None
    xmp: bytes | None = None
    cicp: tuple[int, int] | None = None


def read_header(path: Path, layer: str = "") -> Header:
    """Raises FootageError if it is missing, no image, CMYK, has no such layer, or samples that no plate can hold."""
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
    """How what decoders give of a file is to be turned, as an EXIF orientation. Raises OSError."""
    return 1 if is_raw(path) else read_orientation(path)


def float_format(path: Path, layer: str = "") -> str:
    """How an image of float samples stores them: half, or float (double is read as float). Raises FootageError."""
    with _reading(path), _openimageio(path, layer) as (file, _):
        return "half" if str(file.spec().format) == "half" else "float"


def read_plate(path: Path, *, alpha: bool = False, layer: str = "") -> Plate:
    """Decode at full size, with the source's alpha if that is wanted. layer: of an EXR. Raises FootageError."""
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
        if icc is not None and icc[16:20] != b"RGB ":  # a grey profile says nothing about RGB pixels
            icc = None
        if transparency is not None:
            transparency = upright(transparency, orientation)
        return Plate(upright(pixels, orientation), icc, _exif(path), transparency, _xmp(path))


def read_model_input(path: Path, side: int, to_srgb: ToSrgb = srgb_curve, *, layer: str = "") -> NDArray[np.uint8]:
    """The upright image squashed to (side, side, 3) sRGB, as SAM 2 takes it.

    Equal to upstream's `Image.open(path).convert("RGB").resize((side, side))` of the upright 8-bit image, bit for bit,
    up to a shorter side of 4 x `side`. A larger JPEG is decoded at a reduced scale of its DCT, at least twice as large
    as needed. 16-bit samples keep their upper byte, as Pillow does it. Raises FootageError.
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
    """uint8 (H, W, 3), or its part `box` (x0, y0, x1, y1), to (side, side, 3): Pillow's bicubic, as upstream."""
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC, box))


def upright(pixels: Any, orientation: int) -> Any:
    """(H, W, ...) turned and mirrored as EXIF says, contiguous."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)  # 5; the others are mirrored from there
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def as_stored(pixels: Any, orientation: int) -> Any:
    """The reverse of `upright`."""
    return upright(pixels, {6: 8, 8: 6}.get(orientation, orientation))  # a mirror is its own reverse, a turn is not


def to_8_bit(pixels: Pixels, to_srgb: ToSrgb = srgb_curve) -> NDArray[np.uint8]:
    """Any plate's pixels as 8-bit sRGB."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    if pixels.dtype == np.uint16:
        return np.right_shift(pixels, 8, dtype=np.uint16).astype(np.uint8)
    result = np.empty(pixels.shape, np.uint8)
    for row in range(0, len(pixels), _BAND):
        result[row : row + _BAND] = np.rint(to_srgb(pixels[row : row + _BAND]) * 255)
    return result


def to_integers(pixels: Pixels, to_srgb: ToSrgb = srgb_curve) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """A plate's pixels as a PNG can hold them: integers as they are, float as 16-bit sRGB.

    Of float, 0 to 1 is kept, the rest clipped, NaN becomes 0.
    """
    if pixels.dtype != np.float32:
        return cast("NDArray[np.uint8] | NDArray[np.uint16]", pixels)
    result = np.empty(pixels.shape, np.uint16)
    for row in range(0, len(pixels), _BAND):
        result[row : row + _BAND] = np.rint(to_srgb(pixels[row : row + _BAND]) * 65535)
    return result


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """What decoders raise, as a FootageError that names the file."""
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
    """Pillow's image, not yet decoded, of a size that may be. Raises FootageError, and what Pillow raises."""
    with Image.open(path, formats=_FORMATS) as image:
        check_pixels(*image.size, FootageError, str(path))
        yield image


def _kind(path: Path) -> str:
    """What decodes it: pillow (JPEG, WebP), openimageio, heif or raw. Raises FootageError if nothing does."""
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
    """An open OpenImageIO.ImageInput at the wanted layer's part, and what its channels' names begin with.

    Raises OSError, FootageError.
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
    """(H, W, 3) as stored, of an image whose size was drafted to be `factor` times smaller.

    simplejpeg gives what Pillow gives, in half the time, and unlike Pillow says what libjpeg warns of: where data in
    the middle is damaged, what follows is not the picture. What is merely odd Pillow reads. Raises ValueError.
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
    """(H, W, 3) as stored; (H, W) of its alpha, if it is wanted and there; the colour profile."""
    with _openimageio(path, layer) as (file, prefix):
        spec = file.spec()
        dtype = _dtype(path, spec)
        channels = _channels(path, spec, prefix)
        wanted = [*channels, *_alpha_channel(spec, channels)] if alpha else channels
        first, last = min(wanted), max(wanted) + 1
        if last - first > _MAX_CHANNELS:  # all between them are read together
            raise ValueError(f"its colours are spread over {last - first} channels")
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
            f"The image has {kind} samples, which are no colours.",
            where=str(path),
            hint="Use 8 or 16 bits a channel, or float.",
        )
    return _SAMPLES[kind]


def _channels(path: Path, spec: Any, prefix: str) -> list[int]:
    """Indices of R, G and B; of a grey image three times the same. Raises FootageError if there are none."""
    names = [name.lower() for name in spec.channelnames]
    wanted = [f"{prefix}.{channel}".lower() if prefix else channel for channel in "rgb"]
    if all(name in names for name in wanted):
        return [names.index(name) for name in wanted]
    grey = [i for i, name in enumerate(names) if i != spec.alpha_channel and name not in ("a", "z")]
    # TIFF 6.0: photometric 0 and 1 are grey, and what is beyond is extra (338), which OpenImageIO calls G
    if len(grey) == 1 or spec.getattribute("tiff:PhotometricInterpretation") in (0, 1):
        return grey[:1] * 3
    raise FootageError(
        f"The image has no red, green and blue; its channels are {', '.join(spec.channelnames)}.",
        where=str(path),
        hint="Render or convert it to RGB.",
    )


def _seek_layer(path: Path, file: Any, wanted: str) -> str:
    """Go to the part of an EXR with the layer; returns what its channels' names begin with. Raises FootageError."""
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
    """The index of the alpha that goes with `channels`, in the same layer; none if there is none."""
    layer = spec.channelnames[channels[0]].rpartition(".")[0]
    name = f"{layer}.a" if layer else "a"
    named = [i for i, channel in enumerate(spec.channelnames) if channel.lower() == name]
    return named or ([spec.alpha_channel] if spec.alpha_channel >= 0 and not layer else [])


def _refuse_cmyk(path: Path, is_cmyk: bool) -> None:
    if is_cmyk:
        raise FootageError(
            "The image is CMYK, meant for print; turned into RGB, its values would change.",
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
    """What Pillow finds in JPEG, PNG, TIFF and WebP; no other file has any, and a damaged one is none."""
    try:
        with open_image(path) as image:
            found = image.info.get("xmp")
    except Exception:  # decoders raise what they like; the pixels have been read
        return None
    return _upright_xmp(found)


def _upright_xmp(found: Any) -> bytes | None:
    """With its orientation set to 1; None of what is no XMP, or too much."""
    if isinstance(found, str):
        found = found.encode()
    if not isinstance(found, bytes) or len(found) > _MAX_XMP:
        return None
    return _XMP_ORIENTATION.sub(rb"\g<1>1", found)


def _upright_exif(exif: bytes) -> bytes:
    """With its orientation set to 1 where it stands, so that nothing else moves (a MakerNote holds offsets)."""
    try:
        field = orientation_field(io.BytesIO(exif), 0)
    except struct.error:
        field = None
    if field is None:
        return exif
    at, kind = field
    return exif[:at] + struct.pack(kind, 1) + exif[at + struct.calcsize(kind) :]


def _tiff_exif(file: Any) -> bytes | None:
    """EXIF data made from a TIFF file's own tags, which are mixed with those of its pixels there."""
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
