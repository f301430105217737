"""Estimates from the colours around a pixel whether it is subject, with histograms over the whole picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

REACH = 3  # nodes: a pixel depends on none further away
_BINS = 8  # of each colour
_UNKNOWN = 0.05  # of a node's pixels: as if so many had been seen, of all colours alike
_LIMIT = 3.0  # more is never said


def evidence(
    pixels: NDArray[np.uint8], subject: Mask, counted: Mask, wanted: Mask, node: int, origin: tuple[int, int]
) -> Floats:
    """For each wanted pixel: above 0 its colour is the subject's.

    Args:
        pixels: (h, w, 3).
        subject: (h, w).
        counted: (h, w), the pixels that histograms are made of.
        wanted: (h, w).
        node: distance of the nodes, in pixels.
        origin: row and column of the first pixel in the whole picture, from which nodes are counted: parts of a picture
            that overlap have the same ones.

    Returns:
        (h, w), within plus and minus 3; 0 where it is not wanted.
    """
    result = np.zeros(subject.shape, np.float32)
    ys, xs = np.nonzero(wanted)
    if not ys.size:
        return result
    colour = (pixels.astype(np.int32) * _BINS) >> 8
    colour = (colour[..., 0] * _BINS + colour[..., 1]) * _BINS + colour[..., 2]
    rows, columns = (np.arange(n) + start % node for n, start in zip(subject.shape, origin, strict=True))
    shape = rows[-1] // node + 1, columns[-1] // node + 1, _BINS, _BINS, _BINS
    key = ((rows // node)[:, None] * shape[1] + columns // node) * _BINS**3 + colour
    unknown = np.float32(_UNKNOWN * node * node)
    shares = []
    for mask in (subject & counted, ~subject & counted):
        counts = np.bincount(key[mask], minlength=int(np.prod(shape))).astype(np.float32).reshape(shape)
        counts = _smoothed(counts, (0, 1, 0, 1, 2, 3, 4)).reshape(shape[0], shape[1], -1)
        shares.append((counts + unknown / _BINS**3) / (counts.sum(2, keepdims=True) + unknown))
    ratio = np.clip(np.log(shares[0] / shares[1]), -_LIMIT, _LIMIT)
    up, down, lower = _between(rows[ys], node, shape[0])
    left, right, far = _between(columns[xs], node, shape[1])
    colour = colour[ys, xs]
    above = ratio[up, left, colour] * (1 - far) + ratio[up, right, colour] * far
    below = ratio[down, left, colour] * (1 - far) + ratio[down, right, colour] * far
    result[ys, xs] = above * (1 - lower) + below * lower
    return result


def _smoothed(values: Floats, axes: tuple[int, ...]) -> Floats:
    """Smooth by 1 2 1 along the axes; beyond the ends is zero."""
    for axis in axes:
        result = 2 * values
        along, onto = np.moveaxis(values, axis, 0), np.moveaxis(result, axis, 0)
        onto[1:] += along[:-1]
        onto[:-1] += along[1:]
        values = result / np.float32(4)
    return values


def _between(places: NDArray[np.intp], node: int, count: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """The two nodes on either side of a pixel and the weight of the second."""
    centre = np.clip((places + 0.5) / node - 0.5, 0, count - 1)
    first = np.floor(centre).astype(np.intp)
    return first, np.minimum(first + 1, count - 1), (centre - first).astype(np.float32)
