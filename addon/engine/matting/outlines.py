"""Mattes as closed curves that change over time: what Blender's mask splines are made from.

A spline keeps its number of points from key to key. So every curve gets the same number, evenly along its length, and
curves of one frame are matched with those of the next: by place, then turned so that points move as little as may be.
Parts that are not there on a frame shrink to a point.

In: mattes uint8 (h, w), 0 or 255. Out: (x, y) in pixels of the plate, origin top left, pixel centres at .5.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]  # (points, 2)

_SMALLEST = 1e-5  # of the frame's area: parts below are specks
_MOST = 16  # curves a frame, the largest


def curves_of(matte: NDArray[np.uint8], points: int) -> list[Curve]:
    """The outlines of a matte's parts and holes, largest first, `points` points each; holes run the other way round."""
    # OpenCV's contour runs through the centres of the outermost pixels inside: half a pixel from the edge, and so only
    # a quarter of one in a matte twice as large.
    fine = cv2.resize(matte, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    found, _ = cv2.findContours(fine, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    areas = [abs(cv2.contourArea(outline)) / 4 for outline in found]
    order = sorted(range(len(found)), key=lambda i: -areas[i])
    large = [i for i in order[:_MOST] if areas[i] >= _SMALLEST * matte.size and len(found[i]) > 2]
    return [_resample((found[i][:, 0].astype(np.float64) + 0.5) / 2, points) for i in large]


def matched(frames: Sequence[Sequence[Curve]]) -> list[list[Curve]]:
    """Curves of several frames as paths: of each path one curve a frame, whose points belong together."""
    if not any(frames):
        return []
    paths: list[list[Curve]] = []
    for number, curves in enumerate(frames):
        left = list(curves)
        for path in paths:
            near = min(left, key=lambda curve: _distance(curve, path[-1]), default=None)
            if near is None:
                path.append(_collapsed(path[-1]))
            else:
                left = [curve for curve in left if curve is not near]
                path.append(_turned(near, path[-1]))
        paths += [[*[_collapsed(curve)] * number, curve] for curve in left]
    return paths


def _resample(outline: Curve, points: int) -> Curve:
    closed = np.vstack((outline, outline[:1]))
    lengths = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))))
    at = np.arange(points) * (lengths[-1] / points)
    return np.stack([np.interp(at, lengths, closed[:, i]) for i in (0, 1)], axis=1)


def _distance(one: Curve, other: Curve) -> float:
    """Between centres; a part and a hole never match while there is a choice."""
    apart = float(np.hypot(*(one.mean(axis=0) - other.mean(axis=0))))
    return apart + 1e9 * (_area(one) * _area(other) < 0)


def _area(curve: Curve) -> float:
    x, y = curve.T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def _collapsed(curve: Curve) -> Curve:
    return np.tile(curve.mean(axis=0), (len(curve), 1))


def _turned(curve: Curve, before: Curve) -> Curve:
    """The same curve, starting with the point that lets all of them move least."""
    moves = [float(np.square(np.roll(curve, -i, axis=0) - before).sum()) for i in range(len(curve))]
    return np.roll(curve, -int(np.argmin(moves)), axis=0)
