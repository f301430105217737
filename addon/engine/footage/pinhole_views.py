"""Pinhole views of an equirectangular panorama: cube faces, or rows of views that overlap.

Frames: x to the right, y down, z forward, as COLMAP's cameras have them. Longitude 0 is the middle column of the
panorama and grows to the right; latitude pi/2 is its lowest row. A position is (x, y) with (0, 0) at the upper left
corner of the upper left pixel, whose centre is (0.5, 0.5).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...contract.job_checks import VIEW_OVERLAP, view_grid

_BAND = 256  # rows of a view that are looked up at once
_FACES = {"front": (0, 0), "right": (90, 0), "back": (180, 0), "left": (270, 0), "up": (0, 90), "down": (0, -90)}

Quaternion = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class View:
    """One pinhole camera of the rig. yaw: degrees to the right; pitch: degrees up."""

    name: str
    yaw: float
    pitch: float

    @property
    def rotation(self) -> NDArray[np.float64]:
        """(3, 3), turns directions of the panorama into those of the camera."""
        yaw, pitch = math.radians(self.yaw), math.radians(self.pitch)
        around_y = np.array(
            [[math.cos(yaw), 0, -math.sin(yaw)], [0, 1, 0], [math.sin(yaw), 0, math.cos(yaw)]], np.float64
        )
        around_x = np.array(
            [[1, 0, 0], [0, math.cos(pitch), math.sin(pitch)], [0, -math.sin(pitch), math.cos(pitch)]], np.float64
        )
        return around_x @ around_y

    @property
    def quaternion(self) -> Quaternion:
        """`rotation` as (w, x, y, z)."""
        yaw, pitch = math.radians(self.yaw) / 2, math.radians(self.pitch) / 2
        w, x = math.cos(pitch), -math.sin(pitch)
        return w * math.cos(yaw), x * math.cos(yaw), -w * math.sin(yaw), -x * math.sin(yaw)


@dataclass(frozen=True, slots=True)
class Rig:
    """The views of a panorama. They share a centre, the focal length in pixels, and their size: side x side pixels.

    field_of_view: degrees. In the middle of a view a pixel is as large as in the middle row of the panorama.
    """

    views: tuple[View, ...]
    field_of_view: float
    focal: float
    side: int


def rig_of(views: str, width: int) -> Rig:
    """The rig that a Job's `delivery.views` asks for, of panoramas that are `width` pixels wide."""
    grid = view_grid(views)
    if grid is None:
        field = 90.0
        chosen = tuple(View(name, *angles) for name, angles in _FACES.items())
    else:
        columns, rows = grid
        step = 360 / columns
        field = step * VIEW_OVERLAP
        pitches = [(rows - 1 - 2 * row) / 2 * step for row in range(rows)]
        yaws = [column * step for column in range(columns)]
        chosen = tuple(View(f"pitch{pitch:+g}_yaw{yaw:g}", yaw, pitch) for pitch in pitches for yaw in yaws)
    focal = width / (2 * math.pi)
    side = max(2, round(focal * math.tan(math.radians(field / 2))) * 2)
    return Rig(chosen, field, focal, side)


def look(picture: NDArray[Any], rig: Rig, view: View, *, smooth: bool) -> NDArray[Any]:
    """Return what a camera of the rig sees of a panorama."""
    result = np.empty((rig.side, rig.side, *picture.shape[2:]), picture.dtype)
    way = cv2.INTER_CUBIC if smooth else cv2.INTER_LINEAR
    for rows, x, y in _sources(rig, view, *picture.shape[:2]):
        # columns go on over the seam; rows don't, so that all four of cubic interpolation are inside
        y = np.clip(y, 1, picture.shape[0] - 3)
        cv2.remap(picture, x, y, way, dst=result[rows], borderMode=cv2.BORDER_WRAP)
    return result


def _sources(
    rig: Rig, view: View, height: int, width: int
) -> Iterator[tuple[slice, NDArray[np.float32], NDArray[np.float32]]]:
    """For bands of a view's rows, the places in the panorama, in pixels whose centres are at 0, 1 ... as in OpenCV."""
    across = (np.arange(rig.side) + 0.5 - rig.side / 2) / rig.focal
    for top in range(0, rig.side, _BAND):
        rows = slice(top, min(top + _BAND, rig.side))
        grid = np.meshgrid(across, across[rows])
        x, y, z = np.tensordot(view.rotation.T, np.stack([*grid, np.ones_like(grid[0])]), axes=1)
        longitude, latitude = np.arctan2(x, z), np.arctan2(y, np.hypot(x, z))
        columns = (longitude / (2 * np.pi) + 0.5) * width - 0.5
        lines = (latitude / np.pi + 0.5) * height - 0.5
        yield rows, columns.astype(np.float32), lines.astype(np.float32)
