"""Colours at the edge: the subject's own, continued outwards, instead of the background's.

Straight alpha keeps the plate's colour under and beside the edge, where it is the background's or a mixture, and
whoever shrinks such images mixes it into the subject. So in a zone along the edge the plate is taken as
alpha x F + (1 - alpha) x B, and F, the subject's colour, is written; beyond the zone F alone goes on, as far as a
Lanczos filter down to SHRUNK pixels reads. Alpha is only read, and every other pixel keeps its value.

F and B are averages of what is surely subject and surely background, near ones before far ones, with the plate's detail
given back by one step of least squares: Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021, which needs
averages alone. Germer et al., "Fast Multi-Level Foreground Estimation" (ICPR 2020), was not compared: its published
implementation needs a compiler for Python. The averages are made on a grid of SHRUNK cells along the longer side, the
rest in tiles at the edge: memory is that of the grid, and time grows with the length of the edge.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SHRUNK = 1600  # pixels along the longer side: what Postshot makes of images, and Brush's 1920 are more
_MIXED = 1.0  # shrunk pixels to either side of the edge where plates mix subject and background
_BEYOND = 7  # cells that colours are continued: Lanczos reaches 3 from an alpha to a pixel, 3 from that to a colour
_LEAST = 2  # plate pixels of the zone
_TILE = 128  # plate pixels, at least
_CELLS = 24  # of the grid along a tile, at least: more than colours are continued plus the widest average
_RADII = (1, 3, 10)  # cells of the averages, near to far
_FAR = 1e-3  # how much a wider average counts beside a narrower one
_UNSURE = 0.2  # how much the zone counts beside what is surely subject: it is all that thin parts have
_DOUBT = 20.0  # levels of 255: a difference of F and B below which the matte says more of alpha than the colours do

_ZONE, _SUBJECT, _BACKGROUND = range(3)  # kinds of pixels

Colours = NDArray[np.uint8] | NDArray[np.uint16]
_Floats = NDArray[np.float32]
_Tile = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class _Scale:
    """Lengths for one size of plate: of a grid cell, the zone, a tile, in its pixels."""

    cell: int
    zone: int
    tile: int

    @staticmethod
    def of(height: int, width: int) -> _Scale:
        unit = max(1.0, max(height, width) / SHRUNK)
        cell = math.ceil(unit)
        return _Scale(cell, max(_LEAST, math.ceil(_MIXED * unit)), cell * max(_CELLS, _TILE // cell))


def reach(height: int, width: int) -> int:
    """Return how many pixels beyond the edge of a plate the subject's colours are extended, at most."""
    return (_BEYOND + 1) * _Scale.of(height, width).cell


def continue_colours(rgb: Colours, alpha: Colours) -> None:
    """Put the subject's own colours beside and under its edge, in place.

    Args:
        rgb: (H, W, 3), uint8 or uint16.
        alpha: (H, W), uint8 or uint16, straight: its maximum is the subject, 0 is not.
    """
    scale = _Scale.of(*alpha.shape)
    shape = tuple(-(-side // scale.cell) for side in alpha.shape)
    sums = np.zeros((*shape, 4), np.float32), np.zeros((*shape, 4), np.float32)
    tiles = [(tile, _gather(rgb, alpha, tile, scale, sums)) for tile in _tiles_near_edge(alpha, scale)]
    if not tiles:
        return
    touched = (sums[0][..., 3] > 0).view(np.uint8)
    within = np.asarray(cv2.dilate(touched, np.ones((2 * _BEYOND + 1,) * 2, np.uint8)), np.uint8)
    subject, background = (_spread(summed, rgb.dtype) for summed in sums)
    for tile, kinds in tiles:
        _paint(rgb, alpha, tile, kinds, scale.cell, within, subject, background)


def _tiles_near_edge(alpha: Colours, scale: _Scale) -> Iterator[_Tile]:
    """Return the tiles that an edge runs through or touches, and their neighbours."""
    size = scale.tile
    rows, columns = (range(0, side, size) for side in alpha.shape)
    edge = np.zeros((len(rows), len(columns)), np.uint8)
    for i, top in enumerate(rows):
        for j, left in enumerate(columns):
            around = alpha[max(0, top - 1) : top + size + 1, max(0, left - 1) : left + size + 1]
            edge[i, j] = around.min() != around.max()
    near = cv2.dilate(edge, np.ones((3, 3), np.uint8))
    for i, j in np.argwhere(near).tolist():
        yield slice(rows[i], rows[i] + size), slice(columns[j], columns[j] + size)


def _kinds(alpha: Colours, tile: _Tile, scale: _Scale) -> NDArray[np.uint8]:
    """Return the kind of each pixel of a tile: _SUBJECT or _BACKGROUND outside the zone, _ZONE inside."""
    spans = [slice(max(0, side.start - scale.zone), side.stop + scale.zone) for side in tile]
    around = alpha[spans[0], spans[1]]
    square = np.ones((2 * scale.zone + 1,) * 2, np.uint8)
    subject, background = (
        cv2.erode(part.view(np.uint8), square, borderType=cv2.BORDER_REPLICATE)
        for part in (around == np.iinfo(alpha.dtype).max, around == 0)
    )
    kinds = subject * np.uint8(_SUBJECT) + background * np.uint8(_BACKGROUND)
    inner = [slice(side.start - span.start, side.stop - span.start) for side, span in zip(tile, spans, strict=True)]
    return kinds[inner[0], inner[1]]


def _gather(
    rgb: Colours, alpha: Colours, tile: _Tile, scale: _Scale, sums: tuple[_Floats, _Floats]
) -> NDArray[np.uint8]:
    """Average what is subject and what is background in each cell of a tile: colours times weight, and weight.

    Returns the kinds of its pixels.
    """
    pixels, own = rgb[tile], alpha[tile]
    cells = tuple(slice(side.start // scale.cell, -(-side.stop // scale.cell)) for side in tile)
    full = np.iinfo(alpha.dtype).max
    kinds = _kinds(alpha, tile, scale)
    for part, kind in zip(sums, (_SUBJECT, _BACKGROUND), strict=True):
        if (kinds == kind).all():
            part[cells][..., :3] = _means(pixels, scale.cell)
            part[cells][..., 3] = 1
            return kinds
    share = own.astype(np.float32) / np.float32(full)
    opaque = cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA).astype(np.float32)
    opaque[..., 3] = 1
    for part, kind, less in zip(sums, (_SUBJECT, _BACKGROUND), (share, 1 - share), strict=True):
        weight = np.maximum(kinds == kind, np.float32(_UNSURE) * np.square(np.square(less * less)))
        part[cells] = _means(cv2.multiply(opaque, cv2.merge([weight] * 4)), scale.cell)
    return kinds


def _means(pixels: NDArray[Any], cell: int) -> NDArray[Any]:
    """Return the mean of each cell, (rows, columns, C), for pixels (H, W, C); cells at the border may be cut off."""
    if cell == 1:
        return pixels
    down, right = (-side % cell for side in pixels.shape[:2])
    if down or right:
        pixels = cv2.copyMakeBorder(pixels, 0, down, 0, right, cv2.BORDER_REPLICATE)
    size = pixels.shape[1] // cell, pixels.shape[0] // cell
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))


def _spread(sums: _Floats, dtype: np.dtype[Any]) -> Any:
    """Colours (rows, columns, 3) near what was summed up: averages over it, the nearest that there are."""
    total: Any = np.zeros_like(sums)
    for radius in reversed(_RADII):
        wide = cv2.blur(sums, (2 * radius + 1,) * 2, borderType=cv2.BORDER_CONSTANT)
        total = cv2.scaleAdd(total, _FAR, wide)
    weight = np.maximum(total[..., 3:], np.float32(1e-20))
    return np.rint(total[..., :3] / weight).astype(dtype)


def _paint(
    rgb: Colours,
    alpha: Colours,
    tile: _Tile,
    kinds: NDArray[np.uint8],
    cell: int,
    within: NDArray[np.uint8],
    subject: Colours,
    background: Colours,
) -> None:
    """Write a tile's colours in the zone and beyond. within: 1 in cells that colours are continued to."""
    near = within[tuple(slice(side.start // cell, -(-side.stop // cell)) for side in tile)]
    if not near.any() or (kinds == _SUBJECT).all():
        return
    pixels = rgb[tile]
    colours = _enlarged(subject, tile, cell, kinds.shape)
    zone = kinds == _ZONE
    if zone.any():
        behind = _enlarged(background, tile, cell, kinds.shape)
        colours[zone] = _unmixed(pixels[zone], alpha[tile][zone], colours[zone], behind[zone])
    inside = near.repeat(cell, 0).repeat(cell, 1)[: kinds.shape[0], : kinds.shape[1]]
    cv2.copyTo(colours, inside * (kinds != _SUBJECT), pixels)


def _unmixed(seen: Colours, own: Colours, colours: Colours, behind: Colours) -> NDArray[Any]:
    """The subject's colours in pixels (N, 3) of alpha (N,), given the averages of subject and background there."""
    levels = np.iinfo(seen.dtype).max
    doubt = np.float32(3 * (_DOUBT / 255 * levels) ** 2)
    way = colours - behind.astype(np.float32)
    above = seen - behind.astype(np.float32)
    prior = own / np.float32(np.iinfo(own.dtype).max)
    share = (above * way).sum(1) + doubt * prior
    share /= (way * way).sum(1) + doubt
    share = np.clip(share, 0, 1)[:, None]
    return np.asarray(np.rint(np.clip(colours + share * (above - share * way), 0, levels)))


def _enlarged(grid: Colours, tile: _Tile, cell: int, shape: tuple[int, ...]) -> Any:
    """A tile of a grid at the plate's size, interpolated."""
    if cell == 1:
        return grid[tile].copy()
    spans = [slice(max(0, side.start // cell - 1), side.stop // cell + 1) for side in tile]
    part = grid[spans[0], spans[1]]
    large = cv2.resize(part, (part.shape[1] * cell, part.shape[0] * cell), interpolation=cv2.INTER_LINEAR)
    top, left = (side.start - span.start * cell for side, span in zip(tile, spans, strict=True))
    return large[top : top + shape[0], left : left + shape[1]]
