"""Renders the footage of the story `panorama`: a walk around a statue in a yard, as a camera on a tripod sees it.

    python tests/gui/write_panorama.py FOLDER

With the engine's Python. The legs of the tripod and the operator behind it are at the same place in every picture.
Frames: x to the east, y to the north, z up; the middle column of a picture looks east, its right half south.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

COUNT = 12
WIDTH, HEIGHT = 1024, 512
EYE = 1.5  # metres above the ground
YARD = 5.0  # metres from its middle to a wall
WALL = 3.2  # metres
NEAR, FAR = (-0.45, -0.45, 0.0), (0.45, 0.45, 2.3)  # corners of the statue
SKY = (235, 205, 170)  # blue, green, red

Vectors = NDArray[np.float64]
Picture = NDArray[np.uint8]


def main(folder: Path) -> None:
    """Write PNGs."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(7)
    ground, wall, statue = (texture(random, tint) for tint in ((85, 115, 105), (125, 150, 170), (55, 65, 185)))
    looking = directions()
    rig = fixed(random)
    for index in range(COUNT):
        angle = 2.2 * index / COUNT - 2.6
        place = np.array([2.6 * np.cos(angle), 2.2 * np.sin(angle), EYE])
        picture = np.full((HEIGHT, WIDTH, 3), SKY, np.uint8)
        depth = np.full((HEIGHT, WIDTH), np.inf)
        for (near, far), pattern in (
            (((-YARD, -YARD, -1.0), (YARD, YARD, 0.0)), ground),
            (((-YARD, YARD, 0.0), (YARD, YARD + 0.2, WALL)), wall),
            (((-YARD, -YARD - 0.2, 0.0), (YARD, -YARD, WALL)), wall),
            (((YARD, -YARD, 0.0), (YARD + 0.2, YARD, WALL)), wall),
            (((-YARD - 0.2, -YARD, 0.0), (-YARD, YARD, WALL)), wall),
            ((NEAR, FAR), statue),
        ):
            paint(picture, depth, looking, place, np.array(near), np.array(far), pattern)
        noise = random.normal(0, 2, picture.shape)
        picture = np.where(rig[..., 3:] > 0, rig[..., :3], np.clip(picture + noise, 0, 255)).astype(np.uint8)
        cv2.imwrite(str(folder / f"yard.{index + 1:04d}.png"), picture)


def directions() -> Vectors:
    """(H, W, 3), of each pixel."""
    longitude = ((np.arange(WIDTH) + 0.5) / WIDTH - 0.5) * 2 * np.pi
    latitude = ((np.arange(HEIGHT) + 0.5) / HEIGHT - 0.5)[:, None] * np.pi
    level = np.cos(latitude)
    parts = level * np.cos(longitude), -level * np.sin(longitude), -np.sin(latitude)
    return np.stack(np.broadcast_arrays(*parts), axis=-1)


def texture(random: np.random.Generator, tint: tuple[int, int, int]) -> Picture:
    """Tiles with spots of all sizes, (512, 512, 3), for a square of four metres."""
    spots = np.zeros((512, 512, 3))
    for cells in (8, 32, 128):
        grey = cv2.resize(random.normal(0, 1, (cells, cells)), (512, 512), interpolation=cv2.INTER_CUBIC)
        spots += grey[..., None] * random.uniform(0.6, 1.2, 3)
    y, x = np.mgrid[:512, :512] // 64
    tiles = 18 * ((x + y) % 2)[..., None]
    return np.clip(np.array(tint) + 16 * spots - tiles, 0, 255).astype(np.uint8)


def paint(
    picture: Picture, depth: Vectors, looking: Vectors, place: Vectors, near: Vectors, far: Vectors, pattern: Picture
) -> None:
    """A box into `picture` (H, W, 3), where it is nearer than `depth` (H, W): where rays enter between its planes."""
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (near - place) / looking, (far - place) / looking
    enters = np.nanmax(np.minimum(first, second), axis=-1)
    leaves = np.nanmin(np.maximum(first, second), axis=-1)
    seen = (enters < leaves) & (enters > 0) & (enters < depth)
    depth[seen] = enters[seen]
    hit = place + looking[seen] * enters[seen][:, None]
    side = np.argmax(np.minimum(first, second)[seen], axis=-1)  # across which axis it was entered
    u = np.where(side == 0, hit[:, 1], hit[:, 0])
    v = np.where(side == 2, hit[:, 1], -hit[:, 2])
    shade = np.choose(side, [0.85, 1.0, 1.1])[:, None]
    x, y = (np.asarray(128 * along).astype(np.int64) % 512 for along in (u, v))
    picture[seen] = np.clip(pattern[y, x] * shade, 0, 255)


def fixed(random: np.random.Generator) -> Picture:
    """What the camera carries along: (H, W, 4), alpha 255 there."""
    drawn = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    cv2.rectangle(drawn, (0, HEIGHT * 165 // 180), (WIDTH, HEIGHT), (35, 35, 38, 255), cv2.FILLED)
    for middle in (170, 512, 854):  # the legs
        leg = [[middle - 70, HEIGHT], [middle - 9, 420], [middle + 9, 420], [middle + 70, HEIGHT]]
        cv2.fillPoly(drawn, [np.array(leg)], (45, 45, 50, 255))
    cv2.ellipse(drawn, (700, 395), (46, 90), 0, 0, 360, (120, 60, 40, 255), cv2.FILLED)  # the operator
    cv2.circle(drawn, (700, 290), 24, (110, 140, 190, 255), cv2.FILLED)
    grain = random.integers(-9, 10, (HEIGHT, WIDTH, 3))
    drawn[..., :3] = np.clip(drawn[..., :3].astype(int) + grain, 0, 255)
    return drawn


main(Path(sys.argv[1]))
