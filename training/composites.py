"""2-D composites made on the fly: shapes and cut-outs that move, scale and hide each other over a background."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .clips import Clip
from .textures import texture

Rng = np.random.Generator
Picture = NDArray[np.uint8]
Sprite = NDArray[np.uint8]  # H x W x 4, straight alpha
DRAWINGS = 0.35  # share of the composites that are shapes of one colour before another


class Composer:
    """Keeps a bank of textures and draws composites from it."""

    def __init__(self, rng: Rng, size: int, textures: int = 160) -> None:
        self.size = size
        self.bank = [texture(rng, size) for _ in range(textures)]

    def _plain(self, rng: Rng) -> NDArray[np.uint8]:
        """One colour, but for light from a side: nothing tells one place from another."""
        left, right = rng.uniform(0.75, 1.1, 2)
        light = np.linspace(left, right, self.size)[:, None]
        row = np.clip(rng.uniform(0, 255, 3) * light, 0, 255).astype(np.uint8)
        return np.ascontiguousarray(np.broadcast_to(row, (self.size, self.size, 3)))

    def _texture(self, rng: Rng, plain: float = 0.15) -> NDArray[np.uint8]:
        if rng.random() < plain:
            return self._plain(rng)
        picture = self.bank[int(rng.integers(len(self.bank)))]
        return np.ascontiguousarray(np.rot90(picture, int(rng.integers(4)))[..., rng.permutation(3)])

    def _shape(self, rng: Rng, plain: float = 0.15) -> Sprite:
        """A textured shape, `plain` of them of one colour: a lumpy outline, a few bars, an ellipse, at times holed."""
        size = self.size // 2
        alpha = np.zeros((size, size), np.uint8)
        centre, kind = size // 2, rng.integers(0, 4)
        if kind <= 1:
            waves, around = _lump(rng, 0.12, range(1, int(rng.integers(3, 9))))
            outline = centre + np.clip(0.3 + waves, 0.06, 0.48)[:, None] * size * around
            cv2.fillPoly(alpha, [outline.astype(np.int32)], 255, cv2.LINE_AA)
        elif kind == 2:
            corners = rng.uniform(0.1, 0.9, (int(rng.integers(3, 9)), 2)) * size
            thick = int(rng.integers(2, max(3, size // 12)))
            for a, b in zip(corners, np.roll(corners, 1, 0), strict=True):
                cv2.line(alpha, a.astype(int).tolist(), b.astype(int).tolist(), 255, thick, cv2.LINE_AA)
        else:
            axes = (rng.uniform(0.1, 0.45, 2) * size).astype(int).tolist()
            cv2.ellipse(alpha, (centre, centre), axes, float(rng.uniform(0, 180)), 0, 360, 255, -1, cv2.LINE_AA)
            if rng.random() < 0.4:
                hole = [a // 2 for a in axes]
                cv2.ellipse(alpha, (centre, centre), hole, float(rng.uniform(0, 180)), 0, 360, 0, -1, cv2.LINE_AA)
        fill = cv2.resize(self._texture(rng, plain), (size, size), interpolation=cv2.INTER_AREA)
        if rng.random() < 0.3 * (1 - plain):  # two parts of different stuff
            split = np.zeros((size, size), np.uint8)
            cv2.rectangle(split, (0, 0), (size, int(rng.uniform(0.3, 0.7) * size)), 1, -1)
            other = cv2.resize(self._texture(rng), (size, size), interpolation=cv2.INTER_AREA)
            fill = np.where(split[..., None] > 0, other, fill)
        return np.dstack([fill, alpha])

    def _cut_out(self, rng: Rng, clip: Clip) -> Sprite | None:
        """One object of one frame of a clip."""
        index = int(rng.integers(len(clip.pictures)))
        ids = clip.ids[index]
        numbers = np.unique(ids[::4, ::4])
        numbers = numbers[numbers > 0]
        if not len(numbers):
            return None
        mask = ids == rng.choice(numbers)
        ys, xs = np.nonzero(mask)
        if len(xs) < 150:
            return None
        area = np.s_[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
        return np.dstack([clip.pictures[index][area], mask[area].astype(np.uint8) * 255])

    def compose(
        self, rng: Rng, frames: int, clips: list[Clip], zoom: float = 1.0
    ) -> tuple[list[Picture], list[Picture]]:
        """`frames` pictures (S x S x 3) and id maps (S x S) of one composite; things are `zoom` times as large.

        Some are drawings: a few shapes of one colour each before another colour.
        """
        size = self.size
        if drawing := rng.random() < DRAWINGS:
            back, clips = self._plain(rng), []
        elif clips and rng.random() < 0.5:
            clip = clips[int(rng.integers(len(clips)))]
            back = np.asarray(cv2.resize(clip.pictures[int(rng.integers(len(clip.pictures)))], (size, size)), np.uint8)
        else:
            back = self._texture(rng)
        pictures = [_pan(back, drift, size) for drift in np.linspace(0, 1, frames)[:, None] * rng.normal(0, 12, 2)]
        ids = [np.zeros((size, size), np.uint8) for _ in range(frames)]
        for number in range(1, int(rng.integers(2, 5) if drawing else rng.integers(3, 8))):
            sprite = None
            if clips and rng.random() < 0.5:
                sprite = self._cut_out(rng, clips[int(rng.integers(len(clips)))])
            if sprite is None:
                sprite = self._shape(rng, 1.0 if drawing else 0.15)
            self._stamp(rng, sprite, zoom, pictures, ids, number)
        return pictures, ids

    def cover(self, rng: Rng, pictures: list[Picture], ids: list[Picture]) -> None:
        """Let something pass in front of one of the things in a clip, as a pillar does: an upright bar or a lump.

        It hides the thing on a frame after the first, most often wholly, and on its neighbours in part.
        """
        when = int(rng.integers(1, max(2, len(pictures) - 1)))
        numbers = np.unique(ids[0][::4, ::4])
        numbers = numbers[numbers > 0]
        if not len(numbers):
            return
        number = 1 if 1 in numbers and rng.random() < 0.7 else int(rng.choice(numbers))
        self.hide(rng, pictures, ids, when, number, 0.8)

    def hide(self, rng: Rng, pictures: list[Picture], ids: list[Picture], when: int, number: int, least: float) -> None:
        """Hide a thing on frame `when` and, passing, its neighbours: by what has `least` to 1.5 times its size."""
        size = self.size
        ys, xs = np.nonzero(ids[when] == number)
        if not len(xs):
            return
        centre = np.array([(xs.min() + xs.max()) / 2, (ys.min() + ys.max()) / 2])
        hidden = 0.5 * np.array([np.ptp(xs), np.ptp(ys)])
        half = hidden * rng.uniform(least, 1.5) + 6
        if rng.random() < 0.7:
            heading, slant = np.pi * float(rng.integers(2)), rng.normal(0, 0.05) * size
            sides = np.array([[-half[0] - slant, -2 * size], [half[0] - slant, -2 * size]])
            outline = np.concatenate([sides, -sides])
        else:
            heading = rng.uniform(0, 2 * np.pi)
            waves, around = _lump(rng, 0.1, range(2, 5))
            outline = (1.3 + waves)[:, None] * half * around
        fill = self._texture(rng, plain=0.6)
        pace = rng.uniform(0.45, 1.3) * (half + hidden) * np.array([np.cos(heading), np.sin(heading)])
        for t, (picture, ids_t) in enumerate(zip(pictures, ids, strict=True)):
            move = pace * (t - when)
            alpha = np.zeros((size, size), np.uint8)
            cv2.fillPoly(alpha, [(outline + centre + move).astype(np.int32)], 255, cv2.LINE_AA)
            shift = np.array([[1, 0, move[0]], [0, 1, move[1]]])
            painted = np.asarray(cv2.warpAffine(fill, shift, (size, size), borderMode=cv2.BORDER_REFLECT), np.uint8)
            _lay(painted, alpha, 0, picture, ids_t)

    def _stamp(
        self,
        rng: Rng,
        sprite: Sprite,
        zoom: float,
        pictures: list[NDArray[np.uint8]],
        ids: list[NDArray[np.uint8]],
        number: int,
    ) -> None:
        """Draw the sprite into every frame along a path."""
        size = self.size
        scale = zoom * rng.uniform(0.25, 0.75) * size / max(sprite.shape[:2])
        angle, spin, grow = rng.normal(0, 20), rng.normal(0, 6), rng.normal(0, 0.04)
        place, speed = rng.uniform(0.1, 0.9, 2) * size, np.asarray(rng.normal(0, 0.05, 2) * size)
        if rng.random() < 0.15:
            speed = speed * 3
        flip = rng.random() < 0.5
        if flip:
            sprite = np.ascontiguousarray(sprite[:, ::-1])
        for t, (picture, ids_t) in enumerate(zip(pictures, ids, strict=True)):
            turn = cv2.getRotationMatrix2D(
                (sprite.shape[1] / 2, sprite.shape[0] / 2), angle + spin * t, scale * (1 + grow) ** t
            )
            turn = np.asarray(turn, np.float64)
            turn[:, 2] = turn[:, 2] + place + speed * t - np.array(sprite.shape[1::-1]) / 2
            drawn = np.asarray(cv2.warpAffine(sprite, turn, (size, size), flags=cv2.INTER_LINEAR), np.uint8)
            _lay(drawn[..., :3], drawn[..., 3], number, picture, ids_t)


def _lump(rng: Rng, spread: float, orders: range) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far a lumpy outline is from round in 64 directions (64), and these (64 x 2, unit length)."""
    turns = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    waves = np.zeros(64)
    for k in orders:
        waves += rng.normal(0, spread / k) * np.cos(k * turns + rng.uniform(0, 6))
    return waves, np.stack([np.cos(turns), np.sin(turns)], 1)


def _lay(colours: Picture, alpha: Picture, number: int, picture: Picture, ids: Picture) -> None:
    """Put colours (S x S x 3) over a picture by their straight alpha (S x S), and their number into its ids."""
    there = alpha[..., None].astype(np.uint16)
    picture[:] = ((picture * (255 - there) + colours * there) // 255).astype(np.uint8)
    ids[alpha >= 128] = number


def _pan(picture: NDArray[np.uint8], drift: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
    move = np.array([[1.06, 0, drift[0] - 0.03 * size], [0, 1.06, drift[1] - 0.03 * size]])
    return np.asarray(cv2.warpAffine(picture, move, (size, size), borderMode=cv2.BORDER_REFLECT), np.uint8)
