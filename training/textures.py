"""Procedural textures as S x S x 3 uint8 pictures: noise, stripes, checks, tiles, gradients."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Rng = np.random.Generator
Picture = NDArray[np.uint8]


def _noise(rng: Rng, size: int) -> NDArray[np.float32]:
    """Noise over some octaves, in 0..1."""
    total = np.zeros((size, size), np.float32)
    for octave in range(int(rng.integers(1, 4)), int(rng.integers(4, 8))):
        cells = 2**octave
        total += cv2.resize(rng.random((cells, cells), np.float32), (size, size), interpolation=cv2.INTER_CUBIC) * (
            rng.uniform(0.4, 0.9) ** octave
        )
    total -= total.min()
    return np.asarray(total / (total.max() + 1e-6), np.float32)


def texture(rng: Rng, size: int) -> Picture:
    """One random texture."""
    y, x = np.mgrid[:size, :size].astype(np.float32) / size
    angle, pitch = rng.uniform(0, np.pi), rng.uniform(2, 24)
    u, v = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    kind = rng.integers(0, 6)
    if kind == 0:
        blend = np.full((size, size), rng.random(), np.float32)
    elif kind == 1:
        blend = _noise(rng, size)
    elif kind == 2:
        blend = 0.5 + 0.5 * np.sin(2 * np.pi * (u * pitch + rng.uniform(0, 2) * _noise(rng, size)))
    elif kind == 3:
        blend = ((np.floor(u * pitch) + np.floor(v * pitch)) % 2).astype(np.float32)
    elif kind == 4:
        row = np.floor(v * pitch)
        seam = ((v * pitch) % 1 < 0.12) | ((u * pitch * 0.5 + 0.5 * (row % 2)) % 1 < 0.06)
        blend = seam.astype(np.float32)
    else:
        blend = (_noise(rng, size) > rng.uniform(0.35, 0.65)).astype(np.float32)
    first, second = rng.random(3) * 255, rng.random(3) * 255
    if rng.random() < 0.5:
        second = np.clip(first + rng.normal(0, 40, 3), 0, 255)
    shade = 1 + rng.uniform(0, 0.5) * (_noise(rng, size) - 0.5) + rng.uniform(-0.4, 0.4) * (u - 0.5)
    picture = (first + blend[..., None] * (second - first)) * shade[..., None]
    return np.asarray(np.clip(picture, 0, 255), np.uint8)
