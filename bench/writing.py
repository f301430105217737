"""Compares our PNG writer with Pillow's `save()` at its defaults: one frame, one core, in one run.

    python3 vendor_setup bench writing [--size 6000x9000] [--rounds 1]

The picture is an enlarged demo frame with grain, as JPEG quality 95 has it, with the matte of an ellipse. Pillow can't
write 16-bit RGBA, so its baseline there is the same samples as a grey image four times as wide. Measured is the
processor time of one thread, on which other load has little influence; both write to memory.
"""

from __future__ import annotations

import argparse
import functools
import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from addon.engine.export.png import write_rgba
from addon.engine.footage.images import read_plate, to_integers

from ._common import photos


def main() -> int:
    """Print the comparison."""
    parser = argparse.ArgumentParser(prog="bench writing", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", default="6000x9000", help="WIDTHxHEIGHT")
    parser.add_argument("--rounds", type=int, default=1, help="number of rounds, of which the fastest counts")
    options = parser.parse_args()
    width, height = (int(side) for side in options.size.split("x"))
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        (photo,) = photos(Path(name) / "photos", 1, width, height).iterdir()
        rgb = to_integers(read_plate(photo).pixels)
    alpha = np.zeros((height, width), np.uint8)
    middle, axes = (width // 2, height // 2), (width // 3, height // 3)
    cv2.ellipse(alpha, middle, axes, 20, 0, 360, 255, -1)
    print(f"one RGBA PNG of {width} x {height}, processor seconds of one thread")
    print(f"{'':8}{'Pillow':>16}{'ours':>16}{'faster':>9}{'larger':>9}")
    for bits in (8, 16):
        samples = rgb if bits == 8 else _deep(rgb)
        theirs = _measure(_pillow(samples, alpha), options.rounds)
        ours = _measure(functools.partial(write_rgba, rgb=samples, alpha=alpha), options.rounds)
        faster, larger = theirs[0] / ours[0], ours[1] / theirs[1] - 1
        figures = "".join(f"{seconds:7.2f} s{size / 1e6:4.0f} MB" for seconds, size in (theirs, ours))
        print(f"{bits:3} bits {figures}{faster:8.1f}x{larger:8.1%}")
    return 0


def _deep(rgb: NDArray[Any]) -> NDArray[np.uint16]:
    """Return the 8-bit picture as 16 bits, with sensor-like noise in the lower bits."""
    low = np.random.default_rng(0).integers(-64, 65, rgb.shape, np.int16)
    deep: NDArray[np.uint16] = np.clip(rgb.astype(np.int32) * 257 + low, 0, 65535).astype(np.uint16)
    return deep


def _pillow(rgb: NDArray[Any], alpha: NDArray[np.uint8]) -> Callable[[io.BytesIO], None]:
    if rgb.dtype == np.uint8:
        image = Image.fromarray(np.dstack([rgb, alpha]))
    else:
        samples = np.dstack([rgb, alpha.astype(np.uint16) * 257])
        image = Image.fromarray(samples.reshape(len(rgb), -1))
    return lambda file: image.save(file, "PNG")


def _measure(write: Callable[[io.BytesIO], None], rounds: int) -> tuple[float, int]:
    """Return the seconds of the fastest round, and the number of bytes."""
    found = []
    for _ in range(rounds):
        file = io.BytesIO()
        began = time.thread_time()
        write(file)
        found.append((time.thread_time() - began, len(file.getvalue())))
    return min(found)


if __name__ == "__main__":
    sys.exit(main())
