"""Clips with ground truth in memory: rendered shots and DAVIS 2016. A clip is pictures and id maps of equal size."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

HERE = Path(__file__).resolve().parent.parent
THIN = 0.08  # mean distance from the edge / sqrt(area): 0.03 for a bicycle, 0.07 for a chair, 0.14 for a car
DAVIS_KEPT_OUT = ("blackswan", "car-roundabout", "dance-twirl", "goat")  # measured on, never trained on


@dataclass
class Clip:
    """T pictures (H x W x 3, uint8, RGB) and their id maps (H x W, uint8; 0 = no object)."""

    name: str
    pictures: list[NDArray[np.uint8]]
    ids: list[NDArray[np.uint8]]

    @cached_property
    def hides(self) -> bool:
        """Whether the subject is hidden for some frames and reappears."""
        seen = np.flatnonzero([(ids == 1).any() for ids in self.ids])
        return bool(len(seen)) and len(seen) <= seen[-1] - seen[0]

    @cached_property
    def thin(self) -> bool:
        """Whether much of the subject lies near its edge, as legs, leaves and spokes do."""
        depth = cv2.distanceTransform((self.ids[0] == 1).astype(np.uint8), cv2.DIST_L2, 3)
        inside = depth[depth > 0]
        return inside.size > 0 and float(inside.mean()) < THIN * math.sqrt(inside.size)


def davis_folder() -> Path:
    """Return DAVIS's folder: SPLAT_MATTE_DAVIS, or ../shared/footage/davis beside the checkout."""
    return Path(os.environ.get("SPLAT_MATTE_DAVIS", HERE.parent / "shared" / "footage" / "davis"))


def _read(pictures: list[Path], ids: list[Path], width: int, height: int, subject_only: bool, name: str) -> Clip:
    clip = Clip(name, [], [])
    for picture, matte in zip(pictures, ids, strict=True):
        rgb = np.asarray(Image.open(picture).convert("RGB"))
        mask = np.asarray(Image.open(matte).convert("L"))
        if subject_only:
            mask = np.asarray(mask >= 128, np.uint8)
        if rgb.shape[:2] != (height, width):
            rgb = np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
            mask = np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
        clip.pictures.append(rgb)
        clip.ids.append(mask)
    return clip


def rendered(folder: Path, known: set[str]) -> list[Clip]:
    """Return finished shots in `folder` whose names are not in `known`, and add their names to it.

    A shot without a subject on any frame is left out: there is nothing in it to ask for.
    """
    found = []
    for place in sorted(folder.glob("[0-9]*")):
        if place.name not in known:
            known.add(place.name)
            pictures, maps = sorted(place.glob("rgb/*.jpg")), sorted(place.glob("id/*.png"))
            width, height = Image.open(maps[0]).size
            clip = _read(pictures, maps, width, height, False, place.name)
            if any((ids == 1).any() for ids in clip.ids):
                found.append(clip)
    return found


def davis(folder: Path, kept_out: bool, width: int = 640, height: int = 360) -> list[Clip]:
    """Return DAVIS's clips for training, or those kept out of it. Without DAVIS, print a note and return none."""
    if not folder.is_dir():
        print(f"DAVIS is not at {folder}: going on without it (set SPLAT_MATTE_DAVIS)")
        return []
    clips = []
    for place in sorted((folder / "rgb").iterdir()):
        if (place.name in DAVIS_KEPT_OUT) == kept_out:
            pictures, ids = sorted(place.glob("*.jpg")), sorted((folder / "gt" / place.name).glob("*.png"))
            clips.append(_read(pictures, ids, width, height, True, place.name))
    return clips
