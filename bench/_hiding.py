"""Drawn clips, with true mattes, in which a tracker easily loses its subject.

    hidden-N    the subject goes behind a pillar, stays there for N frames, and comes out on the other side
    twins       it crosses a twin that looks the same, and meets it again on the way back
    leaves      it leaves the picture while a lookalike stays, and returns where it left
    lookalikes  it passes in front of some lookalikes and behind another one

The seed determines everything: backgrounds are smoothed noise, things are blobs with a pattern.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ._clips import Mask, QualityClip, spread_clicks

WIDTH, HEIGHT, RADIUS = 320, 240, 26
HIDDEN = (8, 25, 60)  # frames

Colours = NDArray[np.uint8]
Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Sprite:
    """A thing to draw: picture uint8 (s, s, 3) and shape bool (s, s)."""

    pixels: Colours
    shape: Mask


@dataclass(frozen=True, slots=True)
class _Scene:
    """Sprites that move in front of a background, from back to front; one of them is the subject.

    layers: the centre of each sprite by frame index.
    """

    background: Colours
    layers: list[tuple[_Sprite, Callable[[int], Place]]]
    subject: int


def hiding_clips(folder: Path, frames: int, seed: int) -> list[QualityClip]:
    """Return the clips; those that are not in `folder` yet are drawn."""
    names = [*(f"hidden-{count}" for count in HIDDEN), "twins", "leaves", "lookalikes"]
    return [_draw(folder / f"{name}-{frames}-{seed}", name, frames, seed + i) for i, name in enumerate(names)]


def _draw(folder: Path, name: str, frames: int, seed: int) -> QualityClip:
    pictures = [folder / "rgb" / f"{i:04d}.png" for i in range(1, frames + 1)]
    mattes = [folder / "gt" / path.name for path in pictures]
    if not mattes[-1].exists():
        for path in (pictures[0].parent, mattes[0].parent):
            path.mkdir(parents=True, exist_ok=True)
        for picture, matte, (pixels, mask) in zip(
            pictures, mattes, _render(_scene(name, frames, seed), frames, seed), strict=True
        ):
            cv2.imwrite(str(picture), pixels)
            cv2.imwrite(str(matte), mask.astype(np.uint8) * 255)
    first = cv2.imread(str(mattes[0]), cv2.IMREAD_GRAYSCALE)
    assert first is not None
    return QualityClip(name, "drawn", pictures, mattes, spread_clicks(first >= 128, 3))


def _scene(name: str, frames: int, seed: int) -> _Scene:
    random = np.random.default_rng(seed)
    background = _noise(random, (HEIGHT, WIDTH), 24, random.uniform(90, 150, 3), 28)
    subject, middle = _blob(random), HEIGHT / 2
    kind, _, count = name.partition("-")
    if kind == "hidden":
        pillar = _Sprite(_noise(random, (HEIGHT, 84), 6, random.uniform(60, 180, 3), 25), np.ones((HEIGHT, 84), bool))
        walk = (frames - int(count)) // 2
        inside = _between([(0, 40), (walk, WIDTH / 2), (walk + int(count), WIDTH / 2), (frames - 1, WIDTH - 40)])
        layers = [
            (subject, lambda t: (inside(t), middle + 12 * np.sin(t / 9))),
            (pillar, lambda t: (WIDTH / 2, middle)),
        ]
        return _Scene(background, layers, 0)
    if kind == "twins":
        there = _between([(0, 40), (frames / 2, WIDTH - 40), (frames - 1, 60)])
        back = _between([(0, WIDTH - 50), (frames / 2, 50), (frames - 1, WIDTH - 70)])
        return _Scene(
            background, [(subject, lambda t: (there(t), middle - 8)), (subject, lambda t: (back(t), middle + 8))], 0
        )
    if kind == "leaves":
        away = _between([(0, 80), (frames * 0.3, WIDTH + 40), (frames * 0.6, WIDTH + 40), (frames - 1, 100)])
        return _Scene(background, [(subject, lambda t: (150, 50)), (subject, lambda t: (away(t), 160))], 1)
    along = _between([(0, 36), (frames - 1, WIDTH - 36)])
    others = [(subject, _still(x, y)) for x, y in ((110, 110), (170, 150))]
    return _Scene(background, [*others, (subject, lambda t: (along(t), 128)), (subject, _still(245, 140))], 2)


def _between(keys: list[tuple[float, float]]) -> Callable[[int], float]:
    frames, places = np.array(keys).T
    return lambda t: float(np.interp(t, frames, places))


def _still(x: float, y: float) -> Callable[[int], Place]:
    return lambda t: (x, y)


def _render(scene: _Scene, frames: int, seed: int) -> Iterator[tuple[Colours, Mask]]:
    grain = np.random.default_rng(seed)
    for index in range(frames):
        pixels, truth = scene.background.copy(), np.zeros((HEIGHT, WIDTH), bool)
        for number, (sprite, place) in enumerate(scene.layers):
            height, width = sprite.shape.shape
            x, y = place(index)
            # the pattern turns a little, as on a thing that is seen from another side
            turn = cv2.getRotationMatrix2D(
                (width / 2, height / 2), 0 if width > height or height == HEIGHT else 2 * index, 1
            )
            turn[:, 2] += (x - width / 2, y - height / 2)
            size = (WIDTH, HEIGHT)
            covers = cv2.warpAffine(sprite.shape.astype(np.float32), turn, size) > 0.5
            drawn = cv2.warpAffine(sprite.pixels, turn, size, borderMode=cv2.BORDER_REPLICATE)
            pixels[covers] = drawn[covers]
            truth = truth | covers if number == scene.subject else truth & ~covers
        noisy = pixels + grain.normal(0, 4, pixels.shape)
        yield np.clip(cv2.GaussianBlur(noisy, (3, 3), 0.6), 0, 255).astype(np.uint8), truth


def _blob(random: np.random.Generator) -> _Sprite:
    """Draw a round thing with bumps, in two colours that differ from the background's."""
    side = 3 * RADIUS
    y, x = np.mgrid[:side, :side] - side / 2
    angle = np.arctan2(y, x)
    waves = sum(random.uniform(0, 0.08) * np.sin(k * angle + random.uniform(0, 6)) for k in (2, 3, 5))
    shape = np.hypot(x, y) < RADIUS * (1 + waves)
    stripes = np.sin(x / random.uniform(3, 5) + random.uniform(0, 6)) > 0
    colours = random.permutation(np.array([[40, 60, 220], [230, 200, 60], [60, 210, 90], [200, 60, 200]]))[:2]
    return _Sprite(np.where(stripes[..., None], *colours).astype(np.uint8), shape)


def _noise(
    random: np.random.Generator, size: tuple[int, int], grain: int, mean: NDArray[np.float64], spread: float
) -> Colours:
    """Return smoothed noise that varies mostly in brightness, as plaster and foliage do."""
    coarse = random.normal(0, 1, (size[0] // grain + 2, size[1] // grain + 2, 4)).astype(np.float32)
    smooth = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(mean + spread * (smooth[..., :1] + 0.25 * smooth[..., 1:]), 0, 255).astype(np.uint8)
