"""How the subject looks to a camera by what all others see of it: its visual hull, as fine as their mattes are.

visual_hull.py asks whether a matte is wrong. Here the hull has to be a matte itself, that of thin parts too, while the
edges of those that carve it are never exact. So a voxel is neither in nor out: it is rated by how far inside or outside
of each silhouette it lies, in logarithms of the chance that it belongs there. One silhouette counts only so much, since
it may be wrong. From which rating on a voxel belongs to the subject is what fits the carving mattes best, each of them
held against the hull without its own vote.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .cameras import Camera, Points
from .visual_hull import Mask, Silhouette, around, carvers_of, corners

SIDE = 256  # pixels of the images, as a matte of SAM 2's has
_COARSE = 32  # voxels along a side at first
_FINEST = 0.7  # pixels, of a voxel
_MOST_VOXELS = 3_000_000
_EDGE = 1.0  # pixels, by which edges are off
_COUNTS = 6.0  # what one silhouette can say against a voxel
_LEAST = -0.9  # mean rating, from which a voxel may belong to the subject
_LIMITS = np.linspace(_LEAST, -0.02, 30)
_TRIED = 6  # of the carving frames, on which limits are tried
_SOFT = 0.25  # of the rating, from outside to inside
_CHUNK = 16_384  # voxels at once; cv2.remap takes no more than 32767

Ratings = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Hull:
    """Voxels (n, 3) with a side of `size`; the sum of what each was rated, and by how many cameras."""

    voxels: Points
    size: float
    sums: Ratings
    seen: NDArray[np.int64]


def silhouettes(
    cameras: Mapping[int, Camera], silhouette: Silhouette, frames: Collection[int], trusted: Collection[int]
) -> dict[int, NDArray[np.float32]]:
    """What the other cameras know of some frames.

    Args:
        cameras: by clip frame.
        silhouette: the matte of a trusted frame.
        frames: clip frames that have a camera. A frame's own matte has no part in its answer.
        trusted: clip frames that carve: each has a camera and a matte.

    Returns:
        By frame float32 (SIDE, SIDE), squashed: 1 inside, 0 outside.

    Raises:
        JobError: too few frames, or their mattes have nothing in common: not these poses, or the subject moves.
    """
    carvers = carvers_of(trusted)
    away = {frame: _inside(silhouette(frame)) for frame in carvers}
    hull = _carved(cameras, away, *around({frame: cameras[frame] for frame in trusted}, silhouette))
    tried = carvers[:: max(1, len(carvers) // _TRIED)]
    rated = {frame: _rated(cameras[frame], hull, away.get(frame)) for frame in {*frames, *tried}}

    def fits(limit: float) -> float:
        return float(np.median([_iou(rated[frame] >= limit, away[frame] > 0) for frame in tried]))

    limit = max(_LIMITS.tolist(), key=fits)
    return {frame: np.clip((rated[frame] - limit) / _SOFT + 0.5, 0, 1).astype(np.float32) for frame in frames}


def _inside(mask: Mask) -> NDArray[np.float32]:
    """How far inside of a silhouette each pixel (SIDE, SIDE) is, in pixels; negative outside."""
    area = cv2.resize(mask.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    small = (area >= 0.5).astype(np.uint8)
    if not small.any():
        return np.full((SIDE, SIDE), -4.0 * SIDE, np.float32)
    inside, outside = (cv2.distanceTransform(part, cv2.DIST_L2, 5) for part in (small, 1 - small))
    return np.asarray(np.where(small > 0, inside - 0.5, 0.5 - outside), np.float32)


def _carved(
    cameras: Mapping[int, Camera], away: Mapping[int, NDArray[np.float32]], centre: Points, radius: float
) -> _Hull:
    """From coarse to fine: at first a voxel is rated by the best that is anywhere in it."""
    size = 2 * radius / _COARSE
    steps = (np.arange(_COARSE) + 0.5) * size - radius
    voxels = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3) + centre
    depth = float(np.median([(cameras[frame].rotation @ centre + cameras[frame].translation)[2] for frame in away]))
    focal = max(max(cameras[frame].lens.focal) for frame in away)
    finest = False
    while True:
        finest = finest or SIDE * focal * size / depth <= _FINEST
        sums, seen = np.zeros(len(voxels), np.float32), np.zeros(len(voxels), np.int64)
        for frame, inside in away.items():
            for start in range(0, len(voxels), _CHUNK):
                part = slice(start, start + _CHUNK)
                far, depths = _look(cameras[frame], inside, voxels[part])
                if not finest:
                    far += SIDE * focal * size * math.sqrt(3) / 2 / depths
                sees = ~np.isnan(far)
                sums[part][sees] += _rating(far[sees])
                seen[part] += sees
        keep = (seen >= 0.25 * len(away)) & (sums >= _LEAST * seen)
        voxels, sums, seen = voxels[keep], sums[keep], seen[keep]
        if finest:
            return _Hull(voxels, size, sums, seen)
        if 8 * len(voxels) > _MOST_VOXELS:
            finest = True  # a subject as thick as that has no thin parts
        else:
            size /= 2
            voxels = (voxels[:, None] + corners() * size).reshape(-1, 3)


def _rating(far: NDArray[np.float32]) -> Ratings:
    return np.asarray(np.maximum(-np.logaddexp(0, -far / _EDGE), -_COUNTS), np.float32)


def _look(
    camera: Camera, inside: NDArray[np.float32], voxels: Points
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How far inside the silhouette each voxel's middle is, in pixels, NaN if it is not seen; and how deep it lies."""
    places, depths = camera.project(voxels)
    with np.errstate(invalid="ignore"):
        sees = ((places >= 0) & (places < 1)).all(axis=1)
    xs, ys = np.where(sees, places.T * SIDE - 0.5, 0).astype(np.float32)[..., None]
    far = cv2.remap(inside, xs, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[:, 0]
    return np.where(sees, far, np.float32(np.nan)), np.where(sees, depths, 1).astype(np.float32)


def _rated(camera: Camera, hull: _Hull, own: NDArray[np.float32] | None) -> Ratings:
    """The best rating behind each pixel (SIDE, SIDE), without the vote of the camera's own silhouette."""
    image = np.full((SIDE, SIDE), -_COUNTS, np.float32)
    footprint = 1.0
    for start in range(0, len(hull.voxels), _CHUNK):
        part = slice(start, start + _CHUNK)
        places, depths = camera.project(hull.voxels[part])
        means = hull.sums[part] / hull.seen[part]
        if own is not None:
            far, _ = _look(camera, own, hull.voxels[part])
            votes = ~np.isnan(far)
            means = (hull.sums[part] - _rating(np.where(votes, far, np.inf))) / np.maximum(hull.seen[part] - votes, 1)
        with np.errstate(invalid="ignore"):
            sees = ((places >= 0) & (places < 1)).all(axis=1)
        if sees.any():
            columns, rows = (places[sees] * SIDE).astype(np.intp).T
            np.maximum.at(image, (rows, columns), means[sees])
            footprint = max(footprint, SIDE * max(camera.lens.focal) * hull.size / float(np.median(depths[sees])))
    side = 2 * math.ceil(min(0.5 * footprint, SIDE)) + 1
    return np.asarray(cv2.morphologyEx(image, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8)), np.float32)


def _iou(one: Mask, other: Mask) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))
