"""Finds what is fixed to the camera and never moves in the picture: the rig, the car, a shadow on the lens hood.

At such places the picture hardly changes over time, but it does not change on a featureless sky either. So the outline
must stand still, too. The sky above a level horizon also has such an outline; therefore a bright, smooth area at the
top is taken for sky.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...contract.errors import JobError
from ...contract.frame_numbers import spread
from ..footage import panorama
from ..footage.footage import Reader, read_ahead

_SIDE = 512  # pixels: frames are resized to a square of this side
_MOST = 60  # frames used, evenly spaced
_FEWEST = 8
_STEADY = 0.25  # a pixel may be fixed to the camera if it changes less than this fraction of the median change
_NOISE = 3.0  # grey levels: standard deviation over time that always counts as steady
_MOVES = 6.0  # grey levels by which half of the picture must change, or nothing can be told apart
_LARGEST = 0.8  # fraction of the picture
_SMALLEST = 0.001  # fraction of the picture
_OUTLINE = 0.5  # fraction of an outline that must stand still
_SHARP = 0.4  # fraction of a static edge's contrast that remains in the mean of all frames
_FAINT = 4.0  # grey levels: least contrast of an edge
_SMOOTH = 2.0  # grey levels: largest contrast in the sky
_BRIGHT = 60.0  # grey levels: the sky is brighter
_GROW = 2  # pixels by which the result is dilated, as its edge pixels are mixed with the scene
_AHEAD = 4

Picture = NDArray[np.float32]


def find_static(
    reader: Reader,
    frames: Sequence[int],
    size: tuple[int, int],
    on_frame: Callable[[int, int, int], None] = lambda done, total, frame: None,
) -> NDArray[np.uint8]:
    """Find what is fixed to a camera.

    Args:
        reader: reads the footage.
        frames: the clip frames of that camera.
        size: (W, H) of the footage.
        on_frame: called for each frame with (frames done, total, clip frame); an exception from it ends the search.

    Returns:
        uint8 (H, W), upright: 255 where something is fixed to the camera, 0 elsewhere.

    Raises:
        JobError: the picture hardly moves, or nothing in it stands still.
        FootageError: a frame can't be read.
    """
    chosen = spread(frames, _MOST)
    if len(chosen) < _FEWEST:
        raise JobError(
            f"{len(chosen)} frames are too few.", where="frame_range", hint=f"At least {_FEWEST} are needed."
        )
    sums: Sequence[Any] = (0.0, 0.0, 0.0)  # sums of grey levels, of their squares, and of contrast
    for done, (frame, pixels) in enumerate(read_ahead(reader, chosen, min(_SIDE, max(size)), _AHEAD), 1):
        middle = panorama.without_strips(pixels) if reader.is_panorama else pixels
        grey = cv2.GaussianBlur(cv2.cvtColor(middle, cv2.COLOR_RGB2GRAY), (0, 0), 1.0).astype(np.float32)
        sums = [so_far + term for so_far, term in zip(sums, (grey, grey * grey, _contrast(grey)), strict=True)]
        on_frame(done, len(chosen), frame)
    mean, squares, edge = (total / len(chosen) for total in sums)
    change = np.sqrt(np.maximum(squares - mean * mean, 0))
    if np.median(change) < _MOVES:
        raise JobError(
            "The picture hardly moves, so it does not show what is fixed to the camera.",
            where="footage",
            hint="Draw the mask instead.",
        )
    steady = change < max(_NOISE, _STEADY * float(np.median(change)))
    found = _with_outlines(steady & ~_sky(steady, mean), mean, edge)
    if not found.any():
        raise JobError(
            "Nothing stands still in the picture while the camera moves.",
            where="footage",
            hint="If there is something, draw the mask instead.",
        )
    large = cv2.resize(found, size, interpolation=cv2.INTER_LINEAR)
    return np.where(large >= 128, np.uint8(255), np.uint8(0))


def _contrast(grey: Picture) -> Picture:
    across, down = (cv2.Sobel(grey, cv2.CV_32F, *order, scale=0.25) for order in ((1, 0), (0, 1)))
    return np.asarray(cv2.magnitude(across, down), np.float32)


def _sky(steady: NDArray[np.bool_], mean: Picture) -> NDArray[np.bool_]:
    """Return the bright and smooth area that reaches the top of the picture."""
    smooth = cv2.dilate(_contrast(mean), np.ones((3, 3), np.uint8)) < _SMOOTH
    _, labels = cv2.connectedComponents((steady & smooth & (mean > _BRIGHT)).astype(np.uint8))
    at_top = np.unique(labels[:2])
    sky = np.isin(labels, at_top[at_top > 0]).astype(np.uint8)
    return np.asarray(cv2.dilate(sky, np.ones((5, 5), np.uint8)) > 0)


def _with_outlines(steady: NDArray[np.bool_], mean: Picture, edge: Picture) -> NDArray[np.uint8]:
    """Return the steady areas whose outline stands still, dilated: uint8 (h, w), 255 inside."""
    whole = cv2.morphologyEx(steady.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    whole = cv2.morphologyEx(whole, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(whole)
    around = np.ones((7, 7), np.uint8)
    stays = cv2.dilate(_contrast(mean), around)  # an outline may lie slightly beside the border of a steady area
    sharp = (stays > _FAINT) & (stays > _SHARP * cv2.dilate(edge, np.ones((3, 3), np.uint8)))
    found = np.zeros(steady.shape, np.uint8)
    for number in range(1, count):
        if not _SMALLEST <= stats[number, cv2.CC_STAT_AREA] / steady.size <= _LARGEST:
            continue
        part = (labels == number).astype(np.uint8)
        rim = cv2.dilate(part, np.ones((3, 3), np.uint8)) - part > 0  # without the picture's border
        if rim.any() and sharp[rim].mean() >= _OUTLINE:
            found |= part
    outlines, _ = cv2.findContours(found, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(found, outlines, -1, 1, cv2.FILLED)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _GROW + 3, 2 * _GROW + 3))
    return np.asarray(cv2.dilate(found, disc) * 255, np.uint8)
