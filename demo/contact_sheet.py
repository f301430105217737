"""Shows the demo's result: plate, matte and cut-out of some frames, and the mean IoU against the ground truth.

Run by `python3 vendor_setup demo` in the engine's environment.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

ROWS = 4
WIDTH = 320  # of one picture on the sheet, in pixels
GAP = 8
CHECKER = 16
PAPER = (32, 32, 32)
INK = (220, 220, 220)

Picture = NDArray[np.uint8]


def main() -> int:
    """Write the sheet and print the mean IoU. Return the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("version", type=Path, help="folder of exported PNGs")
    parser.add_argument("plates", type=Path)
    parser.add_argument("truth", type=Path, help="folder of mattes, 255 = subject")
    parser.add_argument("sheet", type=Path, help="the PNG to write")
    options = parser.parse_args()
    mattes = sorted(options.version.glob("*.png"))
    scores = {matte.stem: iou(alpha_of(matte), read_truth(options.truth / matte.name)) for matte in mattes}
    shown = [mattes[round(i)] for i in np.linspace(0, len(mattes) - 1, min(ROWS, len(mattes)))]
    rows = [row(matte, next(options.plates.glob(f"{matte.stem}.*")), scores[matte.stem]) for matte in shown]
    stack(rows).save(options.sheet)
    print(f"mean IoU against the ground truth over {len(scores)} frames: {np.mean(list(scores.values())):.3f}")
    return 0


def alpha_of(path: Path) -> Picture:
    """Read the exported alpha: uint8 (H, W)."""
    with Image.open(path) as image:
        return np.asarray(image.getchannel("A"))


def read_truth(path: Path) -> Picture:
    """Read the ground truth: uint8 (H, W)."""
    with Image.open(path) as image:
        return np.asarray(image.convert("L"))


def iou(alpha: Picture, truth: Picture) -> float:
    """Return the intersection over union; 1 if both are empty, as when the subject is hidden."""
    found, wanted = alpha >= 128, truth >= 128
    union = np.count_nonzero(found | wanted)
    return np.count_nonzero(found & wanted) / union if union else 1.0


def row(matte: Path, plate: Path, score: float) -> Image.Image:
    """Draw plate, matte and cut-out side by side, with frame number and IoU below."""
    with Image.open(plate) as opened:
        plate_image = opened.convert("RGB")
    with Image.open(matte) as opened:
        cut_out = opened.convert("RGBA")
    size = (WIDTH, round(WIDTH * cut_out.height / cut_out.width))
    checkered = checkerboard(*size)
    small = cut_out.resize(size, Image.Resampling.LANCZOS)
    checkered.paste(small, mask=small.getchannel("A"))
    pictures = [plate_image.resize(size), small.getchannel("A").convert("RGB"), checkered]
    sheet = Image.new("RGB", (3 * (WIDTH + GAP) + GAP, size[1] + 3 * GAP), PAPER)
    for i, picture in enumerate(pictures):
        sheet.paste(picture, (GAP + i * (WIDTH + GAP), GAP))
    ImageDraw.Draw(sheet).text((GAP, size[1] + GAP + 1), f"{matte.stem}   IoU {score:.3f}", INK)
    return sheet


def checkerboard(width: int, height: int) -> Image.Image:
    """Draw the checkerboard that shows where alpha is 0."""
    y, x = np.mgrid[:height, :width]
    grey = np.where((x // CHECKER + y // CHECKER) % 2, 102, 153).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def stack(rows: list[Image.Image]) -> Image.Image:
    """Put the rows below each other."""
    sheet = Image.new("RGB", (rows[0].width, sum(strip.height for strip in rows)), PAPER)
    top = 0
    for strip in rows:
        sheet.paste(strip, (0, top))
        top += strip.height
    return sheet


if __name__ == "__main__":
    sys.exit(main())
