"""The clips that quality is measured on: pictures, exact mattes and prompts. Mattes are read on demand."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

HERE = Path(__file__).resolve().parent.parent
DAVIS_KEPT_OUT = ("blackswan", "car-roundabout", "dance-twirl", "goat")  # the four that training never sees
Mask = NDArray[np.bool_]
Point = tuple[float, float, int]  # x, y in pixels from the top left, and 1 include or 0 exclude


@dataclass(frozen=True)
class QualityClip:
    """A clip with ground truth; `clicks` are for its first frame."""

    name: str
    kind: str  # "rendered" or "real"
    pictures: list[Path]
    mattes: list[Path]
    clicks: tuple[Point, ...]

    def matte(self, index: int) -> Mask:
        """The ground truth of a frame (counted from 0), H x W."""
        return np.asarray(Image.open(self.mattes[index]).convert("L")) >= 128


def spread_clicks(mask: Mask, count: int) -> tuple[Point, ...]:
    """Return `count` clicks inside a mask: its deepest point, then the deepest points far from those before."""
    ys, xs = np.nonzero(mask)
    reach = 0.3 * max(np.ptp(xs), np.ptp(ys))
    grid_y, grid_x = np.mgrid[: mask.shape[0], : mask.shape[1]]
    free, clicks = mask.copy(), list[Point]()
    while free.any() and len(clicks) < count:
        depth = cv2.distanceTransform(np.pad(free, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
        y, x = divmod(int(depth.argmax()), mask.shape[1])
        clicks.append((x + 0.5, y + 0.5, 1))
        free &= np.hypot(grid_x - x, grid_y - y) > reach
    return tuple(clicks)


def rendered_clips(folder: Path = HERE / "demo" / "clips") -> list[QualityClip]:
    """Return the repository's own clips."""
    clips = []
    for about in sorted(folder.glob("*/clip.json")):
        said = json.loads(about.read_text())
        clicks = tuple((p["x"], p["y"], int(p["label"] == "include")) for p in said["prompts"] if p["frame"] == 1)
        pictures, mattes = sorted(about.parent.glob("rgb/*.jpg")), sorted(about.parent.glob("gt/*.png"))
        clips.append(QualityClip(said["name"], "rendered", pictures, mattes, clicks))
    return clips


def davis_clips(folder: Path | None = None, kept_out: bool = True) -> list[QualityClip]:
    """Return DAVIS clips: the four kept out of training, or all. Without DAVIS, print a note and return none."""
    default = HERE.parent / "shared" / "footage" / "davis"
    folder = folder or Path(os.environ.get("SPLAT_MATTE_DAVIS", default))
    if not folder.is_dir():
        print(f"DAVIS is not at {folder}: measuring without it (set SPLAT_MATTE_DAVIS or --davis)")
        return []
    clips = []
    for name in DAVIS_KEPT_OUT if kept_out else sorted(path.name for path in (folder / "gt").iterdir()):
        pictures, mattes = sorted((folder / "rgb" / name).glob("*.jpg")), sorted((folder / "gt" / name).glob("*.png"))
        first = np.asarray(Image.open(mattes[0]).convert("L")) >= 128
        clips.append(QualityClip(name, "real", pictures, mattes, spread_clicks(first, 3)))
    return clips
