"""Small valid files of every kind that comes from outside, for benchmarks that damage them."""

from __future__ import annotations

import io
import json
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import OpenImageIO
import torch
from PIL import Image

from addon.contract.job import Job
from addon.contract.job_types import (
    Box,
    Delivery,
    Finishing,
    Footage,
    Garbage,
    Mask,
    MatteObject,
    Outlines,
    Point,
    Prompt,
)

WIDTH, HEIGHT = 64, 48


def picture(shift: int = 0) -> Any:
    """Return a ramp, on which damage shows: uint8 (HEIGHT, WIDTH, 3)."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([4 * x + shift, 5 * y, 3 * (x + y)], axis=-1).astype(np.uint8)


def footage(folder: Path, count: int) -> Footage:
    """Write a sequence of PNGs."""
    folder.mkdir(parents=True)
    files = [folder / f"shot.{i:04d}.png" for i in range(1, count + 1)]
    for i, file in enumerate(files):
        Image.fromarray(picture(i)).save(file)
    return Footage(tuple(map(str, files)), WIDTH, HEIGHT, count)


def jobs(footage: Footage, output: Path) -> list[Any]:
    """Return Jobs as JSON trees that together use every field."""
    polygon = (((1.0, 1.0), (9.0, 1.0), (5.0, 9.0)),)
    finishing = Finishing(temporal=2, fill_holes=4, grow=-1.5, garbage=(Garbage((Outlines(1, polygon),)),))
    marked = (
        MatteObject(
            "a", (Prompt(1, (Point(4, 5), Point(6, 7, False))), Prompt(2, box=Box(1, 2, 30, 40))), finishing=finishing
        ),
        MatteObject("b", (Prompt(1, mask=Mask(polygons=polygon)),)),
    )
    plain = Job(footage, marked, output=str(output), frame_range=(1, 2), part=(1, 1), delivery=Delivery("changed"))
    first: dict[str, Any] = json.loads(plain.to_json())
    found = {**first, "objects": [], "part": None}
    empty = dict.fromkeys(("transients", "things", "parts"))
    return [
        first,
        {**found, **empty, "things": {"subjects": [1, 2]}},
        {**found, **empty, "parts": {"step": 2}},
        {**found, **empty, "transients": {"masks": str(output), "diffs": str(output)}},
    ]


def images() -> dict[str, bytes]:
    """Return encoded 8-bit images by suffix and kind."""
    found: dict[str, bytes] = {}
    plain = Image.fromarray(picture())
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a picture"
    for name, options in (
        ("plain.jpg", {}),
        ("turned.jpg", {"exif": exif}),
        ("plain.png", {"exif": exif}),
        ("plain.webp", {"exif": exif}),
        ("lzw.tif", {"compression": "tiff_lzw"}),
    ):
        buffer = io.BytesIO()
        plain.save(buffer, {"jpg": "JPEG", "tif": "TIFF"}.get(name[-3:], name.rpartition(".")[2].upper()), **options)
        found[name] = buffer.getvalue()
    buffer = io.BytesIO()
    plain.quantize(16).save(buffer, "PNG", transparency=0)
    found["palette.png"] = buffer.getvalue()
    return found


def deep_images(room: Path) -> dict[str, bytes]:
    """Return images that OpenImageIO writes: 16 bits, and float."""
    found = {}
    room.mkdir(parents=True, exist_ok=True)
    for name, kind, scale in (("deep.png", "uint16", 257), ("deep.tif", "uint16", 257), ("half.exr", "half", 1 / 255)):
        spec = OpenImageIO.ImageSpec(WIDTH, HEIGHT, 4, kind)
        spec.channelnames = ("R", "G", "B", "A")
        pixels = np.dstack([picture(), np.full((HEIGHT, WIDTH), 200)]) * scale
        output: Any = OpenImageIO.ImageOutput.create(str(room / name))
        output.open(str(room / name), spec)
        output.write_image(pixels.astype(np.float32 if kind == "half" else np.uint16))
        output.close()
        found[name] = (room / name).read_bytes()
    return found


def movies(room: Path) -> dict[str, bytes]:
    """Return movies of ten frames each, in several containers and codecs."""
    found = {}
    room.mkdir(parents=True, exist_ok=True)
    kinds = (
        ("h264.mp4", "libx264", "yuv420p"),
        ("mpeg4.avi", "mpeg4", "yuv420p"),
        ("vp9.webm", "libvpx-vp9", "yuv420p"),
        ("prores.mov", "prores_ks", "yuv422p10le"),
        ("mjpeg.mkv", "mjpeg", "yuvj420p"),
    )
    for name, codec, pixels in kinds:
        with av.open(str(room / name), "w") as container:
            stream: Any = container.add_stream(codec, rate=Fraction(24))
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
            for i in range(10):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(i), format="rgb24")))
            container.mux(stream.encode(None))
        found[name] = (room / name).read_bytes()
    return found


class _Touch:
    """Creates a file when it is unpickled, which a safe reader refuses to do."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self._path,))


def checkpoints(weights: dict[str, torch.Tensor], canary: Path) -> list[bytes]:
    """Return weights in torch's present and former formats, and pickles that create the file `canary`."""
    found = []
    values: list[Any] = [{"model": weights}, {"model": weights | {"more": torch.zeros(2)}}, weights, [weights], 7]
    values += [{"model": _Touch(canary)}, _Touch(canary), {"model": {key: _Touch(canary) for key in weights}}]
    values += [
        {"model": {key: value * torch.nan for key, value in weights.items()}},
        {"model": {1: 2}},
        {"model": None},
    ]
    for value in values:
        for zipped in (True, False):
            buffer = io.BytesIO()
            torch.save(value, buffer, _use_new_zipfile_serialization=zipped)
            found.append(buffer.getvalue())
    return found


def transforms(footage: Footage) -> Any:
    """Return a transforms.json of cameras on a circle."""
    frames = []
    for i, file in enumerate(footage.files):
        angle = 2 * np.pi * i / len(footage.files)
        back = np.array([np.cos(angle), np.sin(angle), 0.4]) / np.hypot(1, 0.4)
        right = np.cross([0, 0, 1], back) / np.linalg.norm(np.cross([0, 0, 1], back))
        matrix = np.eye(4)
        matrix[:3] = np.stack([right, np.cross(back, right), back, 4 * back], axis=1)
        frames.append({"file_path": f"images/{Path(file).name}", "transform_matrix": matrix.tolist()})
    return {"fl_x": 60.0, "cx": WIDTH / 2, "cy": HEIGHT / 2, "k1": 0.01, "w": WIDTH, "h": HEIGHT, "frames": frames}


def colmap(footage: Footage) -> dict[str, bytes]:
    """Return a COLMAP model as text and as binary, by file name."""
    lines, packed = [], struct.pack("<Q", footage.frame_count)
    for i, file in enumerate(footage.files, 1):
        name = Path(file).name
        lines.append(f"{i} 1 0 0 0 0.1 0.2 {i} 7 {name}\n1.5 2.5 -1\n")
        packed += struct.pack("<i7di", i, 1, 0, 0, 0, 0.1, 0.2, i, 7) + name.encode() + b"\0"
        packed += struct.pack("<QddQ", 1, 1.5, 2.5, 3)
    return {
        "cameras.txt": f"# lenses\n7 OPENCV {WIDTH} {HEIGHT} 60 60 32 24 0.01 0 0 0\n".encode(),
        "images.txt": ("# places\n" + "".join(lines)).encode(),
        "cameras.bin": struct.pack("<QiiQQ8d", 1, 7, 4, WIDTH, HEIGHT, 60, 60, 32, 24, 0.01, 0, 0, 0),
        "images.bin": packed,
    }
