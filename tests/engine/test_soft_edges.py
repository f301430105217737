"""Soft mattes: alpha along the edge, from the plate."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from addon.engine.footage.images import to_8_bit
from addon.engine.matting.soft_edges import soften

HEIGHT, WIDTH = 300, 640  # several tiles
Picture = NDArray[np.uint8]


def ramp(width: int) -> tuple[Picture, NDArray[np.float64]]:
    """Something green that is blurred over so many pixels, and its alpha: linear light mixed, then sRGB."""
    alpha = np.clip((WIDTH / 2 - np.arange(WIDTH)) / width + 0.5, 0, 1)[None].repeat(HEIGHT, 0)
    subject, background = np.array([0.05, 0.5, 0.1]), np.array([0.6, 0.2, 0.3])
    light = alpha[..., None] * subject + (1 - alpha[..., None]) * background
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(encoded * 255).astype(np.uint8), alpha


def hard(alpha: NDArray[np.float64]) -> Picture:
    return np.where(alpha >= 0.5, 255, 0).astype(np.uint8)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_blur_becomes_alpha(dtype: type) -> None:
    """Twenty pixels of motion blur, with less than a third of the error; at 16 bits the same."""
    picture, alpha = ramp(20)
    plate = picture.astype(dtype) * (257 if dtype is np.uint16 else 1)
    found = soften(hard(alpha), plate, to_8_bit, 30)
    band = slice(WIDTH // 2 - 12, WIDTH // 2 + 12)
    before, after = (np.abs(matte / 255 - alpha)[:, band].mean() for matte in (hard(alpha), found))
    assert after < before / 3


def test_beyond_the_band_nothing_changes() -> None:
    picture, alpha = ramp(200)
    before = hard(alpha)
    kept = before.copy()
    found = soften(before, picture, to_8_bit, 10)
    np.testing.assert_array_equal(before, kept)
    beyond = np.abs(np.arange(WIDTH) - WIDTH / 2 + 0.5) > 11
    np.testing.assert_array_equal(found[:, beyond], before[:, beyond])
    assert len(np.unique(found)) > 10
    np.testing.assert_array_equal(soften(before, picture, to_8_bit, 0.9), before)


def test_tiles_leave_no_seams() -> None:
    """Shifted by half a tile, the same, but for rounding; over the seam of a panorama too."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    ys, xs = np.mgrid[0:HEIGHT, 0:WIDTH]
    matte = np.where(np.hypot(ys - 150, xs - 300) + 9 * np.sin(ys / 5) < 110, 255, 0).astype(np.uint8)
    whole = soften(matte, picture, to_8_bit, 12, panorama=True)
    shift = 400  # the subject lies over the seam
    moved = soften(np.roll(matte, shift, 1), np.roll(picture, shift, 1), to_8_bit, 12, panorama=True)
    assert np.abs(np.roll(moved, -shift, 1).astype(int) - whole).max() <= 1
