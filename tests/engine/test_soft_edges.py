"""Soft mattes: alpha along the edge, from the plate."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from addon.engine.footage.images import to_8_bit
from addon.engine.matting.guided_refine import guided_filter
from addon.engine.matting.soft_edges import soften

HEIGHT, WIDTH = 300, 640  # several tiles
Picture = NDArray[np.uint8]


def encoded(light: NDArray[np.float64]) -> Picture:
    """Linear light of 0 to 1 as 8-bit sRGB."""
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(curve * 255).astype(np.uint8)


def ramp(width: int) -> tuple[Picture, NDArray[np.float64]]:
    """Something green that is blurred over so many pixels, and its alpha: linear light mixed, then sRGB."""
    alpha = np.clip((WIDTH / 2 - np.arange(WIDTH)) / width + 0.5, 0, 1)[None].repeat(HEIGHT, 0)
    subject, background = np.array([0.05, 0.5, 0.1]), np.array([0.6, 0.2, 0.3])
    light = alpha[..., None] * subject + (1 - alpha[..., None]) * background
    return encoded(light), alpha


def fur() -> tuple[Picture, NDArray[np.float64]]:
    """A disc with hairs of two thirds of a pixel, before smooth colours, and its alpha."""
    finer, rng = 6, np.random.default_rng(3)
    large = np.zeros((HEIGHT * finer, WIDTH * finer), np.uint8)
    centre = (WIDTH * finer // 2, HEIGHT * finer // 2)
    cv2.circle(large, centre, 70 * finer, 255, -1)
    for angle, length in zip(rng.uniform(0, 2 * np.pi, 1500), rng.uniform(80, 105, 1500), strict=True):
        way = np.array([np.cos(angle + rng.normal(0, 0.1)), np.sin(angle)]) * length * finer
        cv2.line(large, centre, tuple((way + centre).astype(int).tolist()), 255, 4)
    alpha = cv2.resize(large, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)[..., None] / 255
    behind = cv2.resize(rng.uniform(0.2, 0.9, (8, 12, 3)), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    return encoded(alpha * np.array([0.15, 0.07, 0.03]) + (1 - alpha) * behind), alpha[..., 0]


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


def test_fur_has_less_than_a_quarter_of_the_error_of_any_feather() -> None:
    picture, alpha = fur()
    matte = hard(alpha)
    feathered = (cv2.GaussianBlur(matte, (0, 0), sigma) for sigma in (0.3, 0.5, 0.8, 1.2, 2, 4))
    best = min(np.abs(edge / 255 - alpha).sum() for edge in feathered)
    assert np.abs(soften(matte, picture, to_8_bit, 16) / 255 - alpha).sum() < best / 4


@pytest.mark.parametrize("tint", [(1, 1, 1), (1, 0.6, 0.3)])
def test_colours_on_a_line_are_no_less_exact(tint: tuple[float, float, float]) -> None:
    """In black-and-white footage, and along any edge of two colours: as one channel gives, in double precision."""
    rng, radius, epsilon = np.random.default_rng(0), 8, 1e-5
    level = rng.random((200, 200))
    guide = (level[..., None] * np.array(tint)).astype(np.float32)
    source = (level > 0.5).astype(np.float32)

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return cv2.blur(values.astype(np.float64), (2 * radius + 1,) * 2)

    slope = mean(level * source) - mean(level) * mean(source)
    slope /= mean(level**2) - mean(level) ** 2 + epsilon / np.square(tint).sum()
    expected = mean(slope) * level + mean(mean(source) - slope * mean(level))
    np.testing.assert_allclose(guided_filter(guide, source, radius, epsilon), expected, atol=2e-3)


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
