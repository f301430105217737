"""Mattes as closed curves that change over time, for Blender's mask splines.

A spline has the same number of points on all keys. Therefore all curves of a path have the same number of points,
spaced evenly along their length. Curves of consecutive frames are matched by position, and their starting points are
chosen so that points move as little as possible. Parts that are missing on a frame shrink to a point.

The input are mattes, uint8 (h, w), 0 or 255. The output is (x, y) in pixels of the plate, with the origin at the top
left and pixel centres at .5.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]  # (points, 2)

_SMALLEST = 1e-5  # share of the frame's area below which parts are ignored
_MOST = 16  # curves per frame, at most; the largest are kept
_MOST_EXACT = 64  # the same for exact outlines: a wheel has as many gaps as spokes


def curves_of(matte: NDArray[np.uint8], points: int) -> list[Curve]:
    """The outlines of a matte's parts and holes, largest first, with `points` points. Holes run the other way round."""
    return [_resample(outline, points) for outline in _outlines(matte, _MOST)]


def exact_curves_of(matte: NDArray[np.uint8], spacing: float) -> list[Curve]:
    """The same with as many points as each needs, `spacing` pixels apart, and with more of the small holes."""
    found = _outlines(matte, _MOST_EXACT)
    lengths = [cv2.arcLength(outline.astype(np.float32), closed=True) for outline in found]
    return [_resample(outline, max(8, round(far / spacing))) for outline, far in zip(found, lengths, strict=True)]


def _outlines(matte: NDArray[np.uint8], most: int) -> list[Curve]:
    # OpenCV's contour runs through the centres of the outermost pixels inside, half a pixel from the edge, and so only
    # a quarter of one in a matte twice as large.
    fine = cv2.resize(matte, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    found, _ = cv2.findContours(fine, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    areas = [abs(cv2.contourArea(outline)) / 4 for outline in found]
    order = sorted(range(len(found)), key=lambda i: -areas[i])
    large = [i for i in order[:most] if areas[i] >= _SMALLEST * matte.size and len(found[i]) > 2]
    return [(found[i][:, 0].astype(np.float64) + 0.5) / 2 for i in large]


def matched(frames: Sequence[Sequence[Curve]]) -> list[list[Curve]]:
    """Match curves of several frames to paths. A path has one curve per frame, with corresponding points."""
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
                path.append(near)
        paths += [[*[_collapsed(curve)] * number, curve] for curve in left]
    return [_corresponding(path) for path in paths]


def _corresponding(path: Sequence[Curve]) -> list[Curve]:
    """The same curves with as many points as the finest one, starting where the points move least."""
    points = max(map(len, path))
    curves = [curve if len(curve) == points else _resample(curve, points) for curve in path]
    found = curves[:1]
    for curve in curves[1:]:
        found.append(_turned(curve, found[-1]))
    return found


def _resample(outline: Curve, points: int) -> Curve:
    closed = np.vstack((outline, outline[:1]))
    lengths = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))))
    at = np.arange(points) * (lengths[-1] / points)
    return np.stack([np.interp(at, lengths, closed[:, i]) for i in (0, 1)], axis=1)


def _distance(one: Curve, other: Curve) -> float:
    """The distance between the centres of two curves. A part and a hole are far apart, so that they do not match."""
    apart = float(np.hypot(*(one.mean(axis=0) - other.mean(axis=0))))
    return apart + 1e9 * (_area(one) * _area(other) < 0)


def _area(curve: Curve) -> float:
    x, y = curve.T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def _collapsed(curve: Curve) -> Curve:
    return np.tile(curve.mean(axis=0), (len(curve), 1))


def _turned(curve: Curve, before: Curve) -> Curve:
    """The same curve, with the starting point for which the points move least.

    Their squared moves sum up to a constant minus twice the correlation of both curves.
    """
    centre = before.mean(axis=0)
    one, other = np.fft.fft(curve - centre, axis=0), np.fft.fft(before - centre, axis=0)
    alike = np.fft.ifft((one * other.conj()).sum(axis=1)).real
    return np.roll(curve, -int(np.argmax(alike)), axis=0)
