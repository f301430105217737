"""Measures each frame's sharpness, on the subject if that is known, and how far the picture moved since the frame
before.

Sharpness compares fine with coarse detail of the same place and direction, so it depends little on the content: blur
removes only fine detail. Motion blurs along one direction, so the least sharp of four directions counts. Motion is that
of features which the method of Lucas and Kanade (OpenCV's calcOpticalFlowPyrLK) follows forwards and finds again
backwards, on a small picture.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..footage import panorama
from ..footage.footage import Reader, read_ahead

SIDE = 1024  # pixels: side of the square for measuring sharpness, the size at which the model sees frames
_SMALL = 320  # pixels: side of the square for measuring motion
_FINE, _COARSE = (0.8, 1.6), (3.2, 6.4)  # standard deviations of the band filters
_DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))  # steps in rows and columns
_LEAST = 0.001  # fraction of the frame: on a smaller subject, sharpness is unknown
_MARGIN = 3  # pixels around the subject that count, for its outline
_CORNERS = 300  # most features
_FEW = 12  # with fewer features, motion is unknown
_STRAYS = 0.7  # pixels: largest error of a feature that is followed forwards and backwards
_STILL = 0.0005  # fraction of the picture: smaller motion counts as none
_AHEAD = 4  # frames decoded ahead

Picture = NDArray[np.float32]
Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]
MaskOf = Callable[[int], Mask | None]  # by clip frame, bool (h, w), of any aspect ratio; None: unknown


@dataclass(frozen=True, slots=True)
class Look:
    """Measurements of one frame.

    frame: the clip frame.
    sharpness: log2 of fine against coarse detail; NaN if there is too little detail.
    moved: distance from the frame before, as a fraction of the picture's width and height; NaN if unknown.
    """

    frame: int
    sharpness: float
    moved: float


def looks_of(
    reader: Reader, frames: Iterable[int], size: tuple[int, int], subject: MaskOf = lambda frame: None
) -> Generator[Look, None, None]:
    """Measure frames in clip order.

    Args:
        reader: reads the footage.
        frames: clip frames of one camera, ascending.
        size: (W, H) of the footage.
        subject: returns the subject's mask, of any size; both measurements are taken there. None: unknown.

    Raises:
        FootageError: a frame can't be read. OutputError: a stored matte is damaged.
    """
    side = min(SIDE, max(size))
    before: Grey | None = None
    corners: NDArray[np.float32] | None = None
    for frame, pixels in read_ahead(reader, frames, side, _AHEAD):
        middle = panorama.without_strips(pixels) if reader.is_panorama else pixels
        grey = cv2.cvtColor(middle, cv2.COLOR_RGB2GRAY)
        mask = subject(frame)
        inside = None if mask is None else _as_large(mask, grey.shape)
        small: Grey = np.asarray(cv2.resize(grey, (min(_SMALL, side),) * 2, interpolation=cv2.INTER_AREA), np.uint8)
        moved = np.nan if before is None or corners is None else _moved(before, small, corners)
        yield Look(frame, _sharpness(grey.astype(np.float32), inside), moved)
        before = small
        corners = _corners(small, None if mask is None else _as_large(mask, small.shape))


def _as_large(mask: Mask, shape: tuple[int, ...]) -> Mask:
    high, wide = shape
    sized = cv2.resize(mask.astype(np.uint8), (wide, high), interpolation=cv2.INTER_NEAREST)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _MARGIN + 1, 2 * _MARGIN + 1))
    return np.asarray(cv2.dilate(sized, disc) > 0)


def _sharpness(grey: Picture, inside: Mask | None) -> float:
    """Return the sharpness of a picture (Look.sharpness). grey: float32 (h, w), 0 to 255."""
    if inside is not None and inside.mean() < _LEAST:
        return float("nan")
    fine, coarse = (_between(grey, *sigmas) for sigmas in (_FINE, _COARSE))
    ratios = [_energy(fine, step, inside) / max(_energy(coarse, step, inside), 1e-6) for step in _DIRECTIONS]
    return float(np.log2(max(min(ratios), 1e-9)))


def _between(grey: Picture, less: float, more: float) -> Picture:
    blurred: tuple[Picture, ...] = tuple(
        cv2.GaussianBlur(grey, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)  # type: ignore[misc]
        for sigma in (less, more)
    )
    return blurred[0] - blurred[1]


def _energy(detail: Picture, step: tuple[int, int], inside: Mask | None) -> float:
    """Return the mean square of the change over a step of two pixels."""
    down, right = step
    high, wide = detail.shape
    rows, columns = slice(2 * down, high), slice(2 * right, wide) if right >= 0 else slice(0, wide + 2 * right)
    earlier_rows = slice(0, high - 2 * down)
    earlier_columns = slice(0, wide - 2 * right) if right >= 0 else slice(-2 * right, wide)
    change = detail[rows, columns] - detail[earlier_rows, earlier_columns]
    seen = change if inside is None else change[inside[rows, columns]]
    return float(np.square(seen).mean()) if seen.size else 0.0


def _corners(small: Grey, inside: Mask | None) -> NDArray[np.float32] | None:
    mask = None if inside is None else inside.astype(np.uint8)
    found = cv2.goodFeaturesToTrack(small, _CORNERS, 0.01, 4, mask=mask)
    return None if found is None or len(found) < _FEW else np.asarray(found, np.float32)


def _moved(before: Grey, now: Grey, corners: NDArray[np.float32]) -> float:
    there, is_there, _ = cv2.calcOpticalFlowPyrLK(before, now, corners, np.empty_like(corners))
    back, is_back, _ = cv2.calcOpticalFlowPyrLK(now, before, there, np.empty_like(corners))
    stray = np.linalg.norm(back - corners, axis=2)[:, 0]
    good = (is_there[:, 0] > 0) & (is_back[:, 0] > 0) & (stray < _STRAYS)
    if good.sum() < _FEW:
        return float("nan")
    share = float(np.median(np.linalg.norm((there - corners)[good, 0], axis=1))) / len(now)
    return share if share >= _STILL else 0.0
