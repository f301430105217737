"""Rendered orbits with known motion blur: a camera circles a textured block on a textured floor.

The geometry is simple, so a frame takes milliseconds and the amount of blur is known: a blurred frame is the mean of
several pictures taken while the shutter is open. Walls occlude each other; the camera is a pinhole.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_OPEN = 9  # pictures averaged into a blurred frame
_TEXTURE = 512  # side of a texture in pixels
_FIELD = 1.1  # focal length in picture widths

Vectors = NDArray[np.float64]
Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Orbit:
    """A rendered clip.

    files: one per frame.
    mattes: bool (H, W), True on the block.
    blur: by frame, how many pixels the picture moved while the shutter was open.
    """

    files: tuple[str, ...]
    mattes: tuple[NDArray[np.bool_], ...]
    blur: Vectors


def render(folder: Path, seed: int, count: int, size: tuple[int, int] = (640, 480), noise: float = 2.0) -> Orbit:
    """Render an orbit that stops, hurries and shakes to PNGs; a fifth of the frames are blurred by 5 to 20 pixels.

    noise: standard deviation of the sensor noise in grey levels.
    """
    random = np.random.default_rng(seed)
    faces = _faces(random)
    steps = random.choice([0.0, 0.4, 1.0, 1.0, 1.6], count)
    angles = np.cumsum(steps) / steps.sum() * 2 * math.pi * 0.95
    blur = np.where(random.random(count) < 0.2, random.uniform(5, 20, count), 0.0)
    blur *= size[0] / 640
    files, mattes = [], []
    for i in range(count):
        height = 1.6 + 0.5 * math.sin(3 * angles[i])
        place = np.array([5 * math.cos(angles[i]), 5 * math.sin(angles[i]), height])
        direction = random.uniform(0, 2 * math.pi)
        shake = np.array([math.cos(direction), math.sin(direction)]) * blur[i] / (_FIELD * size[0])
        times = np.linspace(-0.5, 0.5, _OPEN) if blur[i] > 0 else [0.0]
        seen = [_picture(faces, place, shake * time, size) for time in times]
        picture = np.mean([picture for picture, _ in seen], axis=0) + random.normal(0, noise, (size[1], size[0], 3))
        files.append(str(folder / f"shot.{i + 1:04d}.png"))
        cv2.imwrite(files[-1], np.clip(picture, 0, 255).astype(np.uint8))
        mattes.append(seen[len(seen) // 2][1] > 0)
    return Orbit(tuple(files), tuple(mattes), blur)


@dataclass(frozen=True, slots=True)
class View:
    """A sharp frame.

    picture: (H, W, 3), BGR.
    labels: (H, W), 0 the floor, 1 the block, 2 the passer-by.
    rotation: (3, 3), world to camera; the camera looks along +z with y down.
    """

    picture: Picture
    labels: Picture
    rotation: Vectors


def views(seed: int, count: int, size: tuple[int, int], *, somebody: bool = False) -> list[View]:
    """Render even steps around the block; with `somebody`, a smaller block walks past it meanwhile."""
    random = np.random.default_rng(seed)
    faces = _faces(random)
    textures = [_texture(random) for _ in range(5)] if somebody else []
    found = []
    for i in range(count):
        angle = 2 * math.pi * i / count
        place = np.array([5 * math.cos(angle), 5 * math.sin(angle), 1.6 + 0.5 * math.sin(3 * angle)])
        walk = np.array([1.5, 3 * i / count - 1.5])
        moving = list(zip(_block(walk, 0.3, 0.2, 1.7), textures, strict=True)) if somebody else []
        picture, labels = _picture([*faces, *moving], place, np.zeros(2), size)
        noisy = np.clip(picture + random.normal(0, 2, picture.shape), 0, 255).astype(np.uint8)
        found.append(View(noisy, labels, _rotation(place, np.zeros(2))))
    return found


def _faces(random: np.random.Generator) -> list[tuple[Vectors, Picture]]:
    """Return the floor, then the faces of the block: corners (4, 3) in order around each face, and its texture."""
    floor = np.array([[-6, -6, 0], [6, -6, 0], [6, 6, 0], [-6, 6, 0]], float)
    return [(corners, _texture(random)) for corners in (floor, *_block(np.zeros(2), 0.9, 0.6, 1.5))]


def _block(middle: Vectors, across: float, along: float, tall: float) -> list[Vectors]:
    """Return the corners of a block's walls and top; `across` and `along` are half lengths."""
    base = middle + np.array([[-across, -along], [across, -along], [across, along], [-across, along]])
    low, high = (np.column_stack([base, np.full(4, z)]) for z in (0.0, tall))
    return [*(np.array([low[i], low[(i + 1) % 4], high[(i + 1) % 4], high[i]]) for i in range(4)), high]


def _texture(random: np.random.Generator) -> Picture:
    """Return spots of all sizes in random colours."""
    picture = np.zeros((_TEXTURE, _TEXTURE, 3))
    for cells in (8, 16, 32, 64, 128, 256):
        layer = random.normal(0, 1, (cells, cells, 3))
        picture += cv2.resize(layer, (_TEXTURE, _TEXTURE), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(128 + 32 * picture, 0, 255), np.uint8)


def _picture(
    faces: Sequence[tuple[Vectors, Picture]], place: Vectors, turn: Vectors, size: tuple[int, int]
) -> tuple[Picture, Picture]:
    """Render a camera that looks at the block, turned by `turn` radians; return the picture and the labels of View."""
    wide, high = size
    rotation = _rotation(place, turn)
    focal = _FIELD * wide
    camera = np.array([[focal, 0, wide / 2], [0, focal, high / 2], [0, 0, 1]]) @ rotation
    picture = np.full((high, wide, 3), (200, 170, 140), np.uint8)
    labels = np.zeros((high, wide), np.uint8)
    order = sorted(range(1, len(faces)), key=lambda i: -float(np.linalg.norm(faces[i][0].mean(axis=0) - place)))
    for number in (0, *order):
        corners, texture = faces[number]
        # homography from the face's plane to the picture; part of that plane may lie behind the camera
        plane = np.column_stack([corners[1] - corners[0], corners[3] - corners[0], corners[0] - place])
        to_picture = camera @ plane @ np.diag([1 / _TEXTURE, 1 / _TEXTURE, 1])
        warped: NDArray[Any] = cv2.warpPerspective(texture, to_picture, size, flags=cv2.INTER_LINEAR)
        if number:
            outline = (corners - place) @ camera.T
            inside: NDArray[Any] = np.zeros((high, wide), np.uint8)
            cv2.fillConvexPoly(inside, np.rint(outline[:, :2] / outline[:, 2:]).astype(np.int32), 1)
            labels[inside > 0] = 1 + (number - 1) // 5  # five faces a block
        else:
            inside = cv2.warpPerspective(np.ones(texture.shape[:2], np.uint8), to_picture, size)
            across, down, rest = np.linalg.inv(to_picture)[2]
            inside[across * np.arange(wide) + (down * np.arange(high) + rest)[:, None] <= 0] = 0
        cv2.copyTo(warped, inside, picture)
    return picture, labels


def _rotation(place: Vectors, turn: Vectors) -> Vectors:
    ahead = _unit(np.array([0, 0, 0.6]) - place)
    right = _unit(np.cross(ahead, [0, 0, 1]))
    ahead = _unit(ahead + turn[0] * right + turn[1] * np.cross(ahead, right))
    right = _unit(np.cross(ahead, [0, 0, 1]))
    return np.stack([right, np.cross(ahead, right), ahead])


def _unit(vector: Vectors) -> Vectors:
    return np.asarray(vector / np.linalg.norm(vector))
