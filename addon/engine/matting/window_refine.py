"""Edge refinement by a second look: SAM 2 segments enlarged windows of the plate along the coarse edge.

The input are logits (h, w) as the matte store keeps them and the plate (H, W, 3). The output are logits of the same
frame on a grid that is finer by a whole factor. Everything that takes coarse logits takes these.

A window spans enough coarse logits to show some context, but has at most as many pixels as the model's input
(training/windows.py makes such windows). Its prompts are the coarse logits in it, and points inside and outside where
they are certain. The result for a window is ignored if it contradicts certain logits.

Windows overlap. Their weights fall to 0 at their borders and away from the edge, where the coarse logits remain, so
there are no seams. The positions of windows follow from the frame's size and the edge, so results are deterministic.
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

_PITCH = 4  # input pixels per logit of SAM 2
_SPAN = 24  # coarse logits along a window, at least
_WORTH = 1.5  # factor by which the grid must become finer
_OVERLAP = 0.25  # share of a window
BAND = 1.5  # coarse logits on either side of the edge in which the matte may change
_POINTS = 3  # points inside, and as many outside
_AGREEMENT = 0.95  # share of the certain logits that a result must agree with
_LIKENESS = 0.75  # IoU with the coarse matte in a window, at least, because thin parts have hardly any certain logits
_STEEP = 20.0  # logits beyond this are treated as certain
_COARSE = 1e-3  # weight of the coarse logits where windows count


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of the fine grid, in cells of that grid: top, left, height, width."""

    top: int
    left: int
    height: int
    width: int

    @property
    def cells(self) -> tuple[slice, slice]:
        """The window as slices of rows and columns of the grid."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


def look_again(
    predictor: Predictor,
    logits: Logits,
    plate: Pixels,
    to_8_bit: Callable[[Pixels], NDArray[np.uint8]],
    *,
    panorama: bool = False,
) -> Logits:
    """Compute finer logits of one object. Called inside `Loaded.computing()`.

    Args:
        predictor: the model.
        logits: (h, w), above 0 is subject.
        plate: (H, W, 3), upright.
        to_8_bit: converts a part of the plate to 8-bit sRGB.
        panorama: whether the picture continues across its left and right borders. Windows end at these borders.

    Returns:
        Logits of the same frame with several times as many rows and columns, but at most a quarter of the plate's; or
        `logits` themselves if that would hardly be finer or if there is no edge.
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
    """The windows of a regular, overlapping grid whose central, unshared part contains some of the band."""
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
    """Blend the results of the windows into the coarse logits (h, w) inside the band, without visible steps.

    Args:
        coarse: logits of the whole grid.
        band: the cells in which results count fully.
        answers: windows and their logits, of the windows' sizes.
        fade: number of cells beside the band over which the weight of results falls to 0.
        panorama: whether weights also fall to 0 at the left and right borders.
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
    """Weights along one axis of a window: they rise from 0 to 1 within the overlap, except at the ends of the grid."""
    ramp = max(1.0, length * _OVERLAP / 2)
    place = np.arange(length, dtype=np.float32) + 0.5
    ones = np.ones(length, np.float32)
    left = ones if open_ends and start == 0 else np.minimum(1, place / ramp)
    right = ones if open_ends and start + length == whole else np.minimum(1, (length - place) / ramp)
    return np.asarray(np.minimum(left, right), np.float32)


def _enlarged(grid: Floats, rows: int, columns: int, panorama: bool) -> Floats:
    """Interpolate logits as `upsample.union` does."""
    upper, lower, down = upsample.taps(grid.shape[0], rows)
    first, second, right = upsample.taps(grid.shape[1], columns, wrap=panorama)
    band = grid[upper] * (1 - down[:, None]) + grid[lower] * down[:, None]
    return np.asarray(band[:, first] * (1 - right) + band[:, second] * right, np.float32)


def near_edge(logits: Floats, reach: int) -> NDArray[np.bool_]:
    """The cells of logits (h, w) that lie within `reach` cells of a change of sign: bool (h, w)."""
    inside = (logits > 0).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return np.asarray(cv2.dilate(inside, kernel) != cv2.erode(inside, kernel))


def _cut(plate: Pixels, window: Window, grid: tuple[int, ...]) -> Pixels:
    """Cut the window out of the plate."""
    height, width = plate.shape[0] / grid[0], plate.shape[1] / grid[1]  # pixels per cell
    rows = slice(round(window.top * height), round((window.top + window.height) * height))
    columns = slice(round(window.left * width), round((window.left + window.width) * width))
    return plate[rows, columns]


def certain_points(coarse: Floats, band: NDArray[np.bool_]) -> tuple[list[tuple[float, float]], list[int]]:
    """Points (x, y), in cells, deep inside areas where logits (h, w) are certain; labels: 1 subject, 0 background."""
    places, labels = [], []
    for label, certain in ((1, (coarse > 0) & ~band), (0, (coarse <= 0) & ~band)):
        found = _deepest(certain)
        places += found
        labels += [label] * len(found)
    return places, labels


def _answer(predictor: Predictor, coarse: Floats, band: NDArray[np.bool_], picture: NDArray[np.uint8]) -> Floats | None:
    """The model's logits (h, w) for a window; None if they contradict certain coarse logits."""
    side = predictor.image_size
    cells, labels = certain_points(coarse, band)
    # the prompt encoder adds half a pixel, because it expects pixel indices
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
    """Points (x, y) deep inside an area. Every point is the deepest one that is far from the points before it."""
    left = area.astype(np.uint8)
    points: list[tuple[float, float]] = []
    while len(points) < _POINTS and left.any():
        depth = np.asarray(cv2.distanceTransform(np.pad(left, 1), cv2.DIST_L2, 5))[1:-1, 1:-1]
        y, x = divmod(int(depth.argmax()), area.shape[1])
        points.append((x + 0.5, y + 0.5))
        cv2.circle(left, (x, y), max(1, min(area.shape) // 4), 0, -1)
    return points
