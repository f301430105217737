"""Refine edges, the second look: SAM 2 sees the plate again, enlarged, in windows along the coarse edge.

In: logits (h, w) as the matte store keeps them, and the plate (H, W, 3). Out: logits on a finer grid over the same
frame, some times as fine; whatever takes the first kind takes these.

Each window spans so many coarse logits that there is something to be seen, but has no more pixels than the model's
input (training/windows.py makes such windows). It is prompted with the coarse logits in it and with points from what
they are certain of, inside and outside. A window whose answer contradicts what is certain doesn't count.
Windows overlap; their weights fall to nothing at their borders, and so does all of it away from the edge, where
the coarse logits stay: there are no seams. Windows lie where the frame's size and the edge say, so the result is the
same every time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..footage.images import Pixels
from ..sam2.image_predictor import EncodedPicture
from ..sam2.predictor import Predictor
from . import upsample

Floats = NDArray[np.float32]
Logits = NDArray[np.float16]

_PITCH = 4  # input pixels a logit: SAM 2's
_SPAN = 24  # coarse logits along a window, at least
_WORTH = 1.5  # how much finer it has to become
_OVERLAP = 0.25  # of a window
BAND = 1.5  # coarse logits to either side of the edge: there it may become another
_POINTS = 3  # of either kind
_AGREEMENT = 0.95  # of what is certain in a window
_LIKENESS = 0.75  # IoU with the coarse matte in a window: of thin parts next to nothing is certain
_STEEP = 20.0  # logits beyond are as certain as they can be
_COARSE = 1e-3  # weight of the coarse logits beside a window's


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the fine grid, in its cells."""

    top: int
    left: int
    height: int
    width: int

    @property
    def cells(self) -> tuple[slice, slice]:
        """Of the grid."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


def look_again(
    predictor: Predictor,
    logits: Logits,
    plate: Pixels,
    to_8_bit: Callable[[Pixels], NDArray[np.uint8]],
    *,
    panorama: bool = False,
) -> Logits:
    """Finer logits of one object; called inside `Loaded.computing()`.

    Args:
        predictor: the model.
        logits: (h, w), above 0 is subject.
        plate: (H, W, 3), upright.
        to_8_bit: makes a part of the plate 8-bit sRGB.
        panorama: whether the right border goes on at the left one; windows don't, they end before it.

    Returns:
        The same frame, some times as many rows and columns, but no more than a quarter of the plate's; `logits`
        themselves where that would hardly be finer, or there is no edge.
    """
    side = predictor.image_size // _PITCH
    pitch = min(side / _SPAN, *(n / _PITCH / m for n, m in zip(plate.shape, logits.shape, strict=False)))
    if pitch < _WORTH or logits.min() > 0 or logits.max() <= 0:
        return logits
    rows, columns = (round(length * pitch) for length in logits.shape)
    coarse = _enlarged(np.clip(np.asarray(logits, np.float32), -_STEEP, _STEEP), rows, columns, panorama)
    band = near_edge(coarse, math.ceil(BAND * pitch))
    answers = []
    for window in windows(band, side):
        picture = to_8_bit(_cut(plate, window, coarse.shape))
        answer = _answer(predictor, coarse[window.cells], band[window.cells], picture)
        if answer is not None:
            answers.append((window, answer))
    return blend(coarse, band, answers, pitch, panorama=panorama).astype(np.float16)


def windows(band: NDArray[np.bool_], side: int) -> list[Window]:
    """The windows of an even, overlapping grid that have some of the band in the part that is theirs alone."""
    height, width = (min(side, length) for length in band.shape)
    margin = int(side * _OVERLAP / 2)
    found = []
    for top in _starts(band.shape[0], height):
        for left in _starts(band.shape[1], width):
            own = band[top + margin * (top > 0) : top + height - margin * (top + height < band.shape[0])]
            own = own[:, left + margin * (left > 0) : left + width - margin * (left + width < band.shape[1])]
            if own.any():
                found.append(Window(top, left, height, width))
    return found


def blend(
    coarse: Floats,
    band: NDArray[np.bool_],
    answers: list[tuple[Window, Floats]],
    fade: float,
    *,
    panorama: bool = False,
) -> Floats:
    """The coarse logits (h, w) with the windows' answers in the band, without a step anywhere.

    Args:
        coarse: of the whole grid.
        band: where answers count.
        answers: logits of the windows' sizes.
        fade: cells beside the band in which they fall to nothing.
        panorama: windows end before the left and right border too.
    """
    weights = np.full(coarse.shape, _COARSE, np.float32)
    sums = coarse * weights
    for window, answer in answers:
        down = _slope(window.top, window.height, coarse.shape[0], open_ends=True)
        across = _slope(window.left, window.width, coarse.shape[1], open_ends=not panorama)
        weight = down[:, None] * across
        weights[window.cells] += weight
        sums[window.cells] += weight * answer
    outside = cv2.distanceTransform((~band).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    share = np.clip(1 - np.asarray(outside) / fade, 0, 1).astype(np.float32)
    return np.asarray(coarse + share * (sums / weights - coarse), np.float32)


def _starts(length: int, side: int) -> Iterator[int]:
    count = 1 if length <= side else math.ceil((length - side * _OVERLAP) / (side * (1 - _OVERLAP)))
    yield from (round(i * (length - side) / max(1, count - 1)) for i in range(count))


def _slope(start: int, length: int, whole: int, *, open_ends: bool) -> Floats:
    """Weights along a window: from nothing at its ends up to 1 within its overlap; 1 up to the grid's own ends."""
    ramp = max(1.0, length * _OVERLAP / 2)
    place = np.arange(length, dtype=np.float32) + 0.5
    ones = np.ones(length, np.float32)
    left = ones if open_ends and start == 0 else np.minimum(1, place / ramp)
    right = ones if open_ends and start + length == whole else np.minimum(1, (length - place) / ramp)
    return np.asarray(np.minimum(left, right), np.float32)


def _enlarged(grid: Floats, rows: int, columns: int, panorama: bool) -> Floats:
    """As `matte.union` interpolates it."""
    upper, lower, down = upsample.taps(grid.shape[0], rows)
    first, second, right = upsample.taps(grid.shape[1], columns, wrap=panorama)
    band = grid[upper] * (1 - down[:, None]) + grid[lower] * down[:, None]
    return np.asarray(band[:, first] * (1 - right) + band[:, second] * right, np.float32)


def near_edge(logits: Floats, reach: int) -> NDArray[np.bool_]:
    """Which cells of h x w logits lie within `reach` cells of where they change sign."""
    inside = (logits > 0).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return np.asarray(cv2.dilate(inside, kernel) != cv2.erode(inside, kernel))


def _cut(plate: Pixels, window: Window, grid: tuple[int, ...]) -> Pixels:
    """The window's part of the plate."""
    height, width = plate.shape[0] / grid[0], plate.shape[1] / grid[1]  # of a cell
    rows = slice(round(window.top * height), round((window.top + window.height) * height))
    columns = slice(round(window.left * width), round((window.left + window.width) * width))
    return plate[rows, columns]


def certain_points(coarse: Floats, band: NDArray[np.bool_]) -> tuple[list[tuple[float, float]], list[int]]:
    """Points (x, y) in cells deep in what h x w logits are certain of, and their labels: 1 subject, 0 not."""
    places, labels = [], []
    for label, certain in ((1, (coarse > 0) & ~band), (0, (coarse <= 0) & ~band)):
        found = _deepest(certain)
        places += found
        labels += [label] * len(found)
    return places, labels


def _answer(predictor: Predictor, coarse: Floats, band: NDArray[np.bool_], picture: NDArray[np.uint8]) -> Floats | None:
    """The model's logits (h, w) for a window; None if they contradict what the coarse ones are certain of."""
    side = predictor.image_size
    cells, labels = certain_points(coarse, band)
    # the prompt encoder adds half a pixel, as if places were pixel numbers
    places = [(x * side / coarse.shape[1] - 0.5, y * side / coarse.shape[0] - 0.5) for x, y in cells]
    if not labels:
        places, labels = [(0.0, 0.0)], [-1]
    model: Any = predictor
    size = model.sam_prompt_encoder.mask_input_size
    mask = cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    squashed = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    encoded = EncodedPicture(predictor, np.asarray(squashed, np.uint8))
    logits, _ = encoded.decode(
        torch.tensor([places], dtype=torch.float32, device=predictor.device),
        torch.tensor([labels], dtype=torch.int32, device=predictor.device),
        torch.from_numpy(np.asarray(mask, np.float32))[None, None].to(predictor.device),
        multimask=False,
    )
    found = logits[0, 0].clamp(-_STEEP, _STEEP).cpu().numpy()
    answer = np.asarray(cv2.resize(found, coarse.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    inside, before = answer > 0, coarse > 0
    agrees = (inside == before)[~band]
    alike = (inside & before).sum() >= _LIKENESS * (inside | before).sum()
    return answer if alike and (not agrees.size or agrees.mean() >= _AGREEMENT) else None


def _deepest(area: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """Some points (x, y), each the deepest of what is left of an area, far from those before."""
    left = area.astype(np.uint8)
    points: list[tuple[float, float]] = []
    while len(points) < _POINTS and left.any():
        depth = np.asarray(cv2.distanceTransform(np.pad(left, 1), cv2.DIST_L2, 5))[1:-1, 1:-1]
        y, x = divmod(int(depth.argmax()), area.shape[1])
        points.append((x + 0.5, y + 0.5))
        cv2.circle(left, (x, y), max(1, min(area.shape) // 4), 0, -1)
    return points
