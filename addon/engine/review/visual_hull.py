"""Compares mattes in 3-D: a subject that stands still has one shape, whichever camera looks at it.

The visual hull (Laurentini, The Visual Hull Concept for Silhouette-Based Image Understanding, PAMI 1994) is everything
that lies inside all silhouettes. It contains the subject, so a right silhouette lies inside the hull that the *other*
cameras carve and, seen from among them, nearly fills it. A part beyond the hull is a leak, an empty part of it is
missing.

The hull is carved in voxels from coarse to fine. A voxel may be outside of a few silhouettes, so that wrong mattes do
not spoil the hull for the others. How many these may be is tried: as few as leave a hull in which most mattes lie. One
silhouette at a time is in memory, whatever the number of frames.

A hull that stands in for a missing matte is finer. The edges of mattes are off by a pixel or two, which would carve
thin parts away if a voxel counted as outside or inside. So each camera says how far outside it is, up to a limit, and
the mean of all cameras decides. Cameras that look from nearly the same side count more: only they see where a round
part ends. Where the subject ends is chosen on frames whose mattes are known.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...contract.boundary import read_or
from ...contract.disk import write_data
from ...contract.errors import JobError
from ...contract.frame_numbers import spread
from ..store.matte_store import Take
from .both_sides import iou
from .cameras import Camera, Points

Mask = NDArray[np.bool_]
Silhouette = Callable[[int], Mask]  # returns the matte of a clip frame, of any size and aspect ratio

_LEAST = 6  # frames with a pose and a matte; fewer do not carve a shape
_COARSE = 32  # initial number of voxels along a side
_NARROW = 0.5  # pixels that a voxel of the narrow hull may lie outside of a silhouette
_PIXEL = np.ones((3, 3), np.uint8)
_BEYOND, _LACKING = 0.03, 0.09  # least fractions at which a frame disagrees, in a clip where nearly all agree
_UNUSUAL = 2.0  # in other clips: standard deviations above the median
_CHUNK = 30_000  # voxels processed at once, which fit in a processor's cache
_NEAR = 30.0  # degrees between two cameras that look from nearly the same side
_ELSEWHERE = 0.5  # weight of all other cameras; that of the nearest is 1 more
_UNSEEN = 255  # in place of an answer, for a voxel beyond a camera's view
_MOST = np.arange(0.1, 0.62, 0.04)  # limits tried of the mean that a voxel of the subject may have anywhere,
_ABOVE = np.arange(0.02, 0.42, 0.04)  # and of how far it may be above that of the part's middle
_MIDDLE, _RISE = 7, 1.5  # pixels around a place in which its part's middle is looked for; factor of the mean there
_TRIED = 8  # known frames on which the limits are chosen


@dataclass(frozen=True, slots=True)
class _Fineness:
    """How a hull is carved.

    carvers: most frames that carve, spread over the clip.
    halvings: how often the size of the voxels is halved.
    side: of the silhouettes in pixels.
    edge: pixels outside of a silhouette where a voxel begins to count as outside, and where it counts as one wholly.
    wrong: fraction of the cameras that see a voxel for which it may be outside.
    most: most voxels; carving stops early if a subject needs more, or the poses carve nothing.
    """

    carvers: int
    halvings: int
    side: int
    edge: tuple[float, float]
    wrong: float
    most: int

    def outside(self, far: NDArray[Any], reach: NDArray[np.float64] | float = 0.0) -> NDArray[np.float64]:
        """Return how much voxels count as outside, 0 to 1, by their distance from a silhouette and their radius."""
        start, end = self.edge
        return np.asarray(np.clip((far - reach - start) / max(end - start, 1e-9), 0, 1), np.float64)


_CHECKS = tuple(_Fineness(48, 2, 128, (1.5, 1.5), wrong, 800_000) for wrong in (0.08, 0.16, 0.24, 0.32, 0.4))
_EXPLAINED = 0.75  # share of the silhouettes that lie in such a hull
_STAND_IN = _Fineness(96, 4, 512, (0.0, 2.0), 0.3, 2_000_000)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """How a frame disagrees with the others, in fractions of its silhouette's area (if empty: of the hull's).

    beyond: the part where the others see nothing.
    lacking: the part that is missing where the others see the subject.
    """

    beyond: float
    lacking: float


def check(take: Take, cameras: Mapping[int, Camera]) -> None:
    """Compare the tracked frames of a take with each other, and store the result beside them.

    Raises:
        JobError: see `disagreements`.
        OutputError: a matte is damaged, or the result can't be written.
    """

    def silhouette(frame: int) -> Mask:
        return np.asarray(take.tracked(frame).logits > 0)

    found = disagreements({frame: cameras[frame] for frame in take.frames() if frame in cameras}, silhouette)
    text = json.dumps({frame: [gap.beyond, gap.lacking] for frame, gap in found.items()}).encode()
    with take.reviewing():
        write_data(_file(take), text, sync=False)


def kept(take: Take) -> dict[int, Disagreement]:
    """Return what `check` found last; empty if it has not run."""

    def read() -> dict[int, Disagreement]:
        data = json.loads(_file(take).read_text(encoding="utf-8"))
        if not all(0 <= share < math.inf for shares in data.values() for share in shares):
            raise ValueError("these are no shares")
        return {int(frame): Disagreement(float(beyond), float(lacking)) for frame, (beyond, lacking) in data.items()}

    return read_or({}, read)


def _file(take: Take) -> Path:
    return take.folder / "hull.json"


def doubts(found: Mapping[int, Disagreement]) -> dict[int, tuple[float, str]]:
    """Return for each frame its doubt (1 is the limit of a suspect) and the reason in words."""
    if not found:
        return {}
    beyond = _limit(_BEYOND, [gap.beyond for gap in found.values()])
    lacking = _limit(_LACKING, [gap.lacking for gap in found.values()])
    judged = {}
    for frame, gap in found.items():
        doubt = gap.beyond / beyond + gap.lacking / lacking  # a matte that is merely displaced has both
        if gap.beyond / beyond > gap.lacking / lacking:
            words = f"they don't see {gap.beyond:.0%} of it"
        else:
            words = f"they see {gap.lacking:.0%} more"
        judged[frame] = (doubt, f"disagrees with the other cameras: {words}")
    return judged


def _limit(least: float, values: Sequence[float]) -> float:
    """Return the limit of the usual: the median plus some deviations, which a few wrong frames do not move."""
    middle = float(np.median(values))
    return max(least, middle + _UNUSUAL * 1.4826 * float(np.median(np.abs(np.array(values) - middle))))


def disagreements(cameras: Mapping[int, Camera], silhouette: Silhouette) -> dict[int, Disagreement]:
    """Compare each frame's matte with the hull that the other frames carve.

    Args:
        cameras: by clip frame; each has a matte.
        silhouette: returns the matte of a frame.

    Raises:
        JobError: there are too few frames, or their mattes have nothing in common, because the poses are of other
            footage or the subject moves.
    """
    found: dict[int, Disagreement] = {}
    for how in _CHECKS:
        hull = _carve(cameras, silhouette, how)
        if len(hull.voxels):
            found = {
                frame: _compare(cameras[frame], _small(silhouette(frame), how.side), hull, frame in hull.carvers)
                for frame in sorted(cameras)
            }
            if np.quantile([gap.beyond for gap in found.values()], _EXPLAINED) <= _BEYOND:
                break
    if not found:
        raise _nothing_in_common()
    return found


def silhouettes(
    cameras: Mapping[int, Camera], silhouette: Silhouette, frames: Collection[int], trusted: Collection[int]
) -> dict[int, NDArray[np.float32]]:
    """Render the hull of trusted frames as seen by the cameras of other frames.

    Args:
        cameras: by clip frame.
        silhouette: returns the matte of a trusted frame.
        frames: clip frames with a camera. A frame's own matte does not influence its result.
        trusted: clip frames that carve: each has a camera and a matte.

    Returns:
        By frame, float32 (512, 512): 1 well inside, 0 well outside, 0.5 at the edge.

    Raises:
        JobError: see `disagreements`.
    """
    hull = _carve({frame: cameras[frame] for frame in trusted}, silhouette, _STAND_IN)
    if not len(hull.voxels):
        raise _nothing_in_common()
    side = _STAND_IN.side
    answers = np.empty((len(hull.carvers), len(hull.voxels)), np.uint8)
    for row, frame in zip(answers, hull.carvers, strict=True):
        far, _ = _look(cameras[frame], _distance(_small(silhouette(frame), side)), hull.voxels, 0.0)
        row[:] = np.where(far < 0, _UNSEEN, np.round((_UNSEEN - 1) * _STAND_IN.outside(far)))
    sides = {frame: _direction(camera, hull.centre) for frame, camera in cameras.items()}

    def least(frame: int) -> NDArray[np.float32]:
        """Return for each pixel the least mean of all other cameras along its ray, 0 to 1."""
        apart = np.array([sides[frame] @ sides[other] for other in hull.carvers])
        angles = np.degrees(np.arccos(np.clip(apart, -1, 1)))
        weights = (np.exp(-0.5 * (angles / _NEAR) ** 2) + _ELSEWHERE) * (np.array(hull.carvers) != frame)
        means = np.ones(len(hull.voxels), np.float32)
        for start in range(0, len(means), _CHUNK):
            part = answers[:, start : start + _CHUNK]
            seen = part != _UNSEEN
            outside = np.where(seen, part, 0) / np.float32(_UNSEEN - 1)
            means[start : start + _CHUNK] = weights @ outside / np.maximum(weights @ seen, 1e-9)
        return _drawn(cameras[frame], hull, means, side)

    known = [(least(frame), _small(silhouette(frame), side)) for frame in spread(sorted(trusted), _TRIED)]
    most, above = _limits(known)
    found = {}
    for frame in frames:
        image = least(frame)
        limit = _limited(_risen(image), most, above)
        found[frame] = np.asarray(np.clip(1 - image / (2 * limit), 0, 1), np.float32)
    return found


def _limits(known: Sequence[tuple[NDArray[np.float32], Mask]]) -> tuple[float, float]:
    """Return the limits `most` and `above` with which the images of known frames fit their mattes best."""
    fits = np.zeros((len(_MOST), len(_ABOVE)))
    for image, mask in known:
        risen = _risen(image)
        fits += [[iou(image <= _limited(risen, most, above), mask) for above in _ABOVE] for most in _MOST]
    best, at = np.unravel_index(int(np.argmax(fits)), fits.shape)
    return float(_MOST[best]), float(_ABOVE[at])


def _risen(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return for each pixel the mean in the middle of the part that it is at, times `_RISE`.

    Many mattes miss a thin part, so that even its middle has a high mean. One limit for all would make thick parts too
    thick, or lose the thin ones.
    """
    return np.asarray(_RISE * cv2.erode(image, np.ones((_MIDDLE, _MIDDLE), np.uint8)), np.float32)


def _limited(risen: NDArray[np.float32], most: float, above: float) -> NDArray[np.float32]:
    """Return for each pixel the mean at which the subject ends."""
    return np.asarray(np.minimum(most, above + risen), np.float32)


@dataclass(slots=True)
class _Hull:
    """Voxels, and what the cameras say of each.

    how, carvers: how it was carved, and by which frames.
    centre, size: of the cube that was carved, (3,); side of a voxel.
    seen: cameras that see a voxel.
    votes: cameras for which it is outside of their silhouette at all.
    outside: sum of what `_Fineness.outside` returns. Mattes are never exact to the pixel, which would carve thin parts
        away. So parts beyond are measured against this wide hull, missing parts against the narrow one of the votes.
    """

    how: _Fineness
    carvers: list[int]
    centre: Points
    voxels: Points
    size: float
    seen: NDArray[np.int64]
    votes: NDArray[np.int64]
    outside: NDArray[np.float64]


def _direction(camera: Camera, centre: Points) -> Points:
    """Return the unit vector from a place to a camera, (3,)."""
    away = camera.place - centre
    return np.asarray(away / max(float(np.linalg.norm(away)), 1e-12), np.float64)


def _around(cameras: Mapping[int, Camera], silhouette: Silhouette) -> tuple[Points, float]:
    """Return centre and half side of a cube around the subject, where rays through the silhouettes' centres meet."""
    rays = []
    for frame, camera in cameras.items():
        ys, xs = np.nonzero(mask := silhouette(frame))
        if len(xs):
            height, width = mask.shape
            place = np.array([(xs.mean() + 0.5) / width, (ys.mean() + 0.5) / height])
            extent = max(np.ptp(xs) / width / camera.lens.focal[0], np.ptp(ys) / height / camera.lens.focal[1])
            direction = camera.rotation.T @ np.array([*((place - camera.lens.centre) / camera.lens.focal), 1.0])
            rays.append((camera, direction / np.linalg.norm(direction), extent))
    if len(rays) < _LEAST:
        raise JobError("Nearly all mattes are empty.", hint="Track the subject first.")
    weights = np.ones(len(rays))
    for _ in range(10):  # reweighted, so that a matte on another thing has little influence
        left, right = np.zeros((3, 3)), np.zeros(3)
        for weight, (camera, direction, _) in zip(weights, rays, strict=True):
            across = np.eye(3) - np.outer(direction, direction)
            left, right = left + weight * across, right + weight * across @ camera.place
        centre = np.asarray(np.linalg.lstsq(left, right, rcond=None)[0], np.float64)
        off = np.array([np.linalg.norm(np.cross(centre - camera.place, way)) for camera, way, _ in rays])
        weights = 1 / np.maximum(off, 0.1 * np.median(off) + 1e-12)
    depths = [float((camera.rotation @ centre + camera.translation)[2]) for camera, _, _ in rays]
    sizes = [extent * depth for depth, (_, _, extent) in zip(depths, rays, strict=True) if depth > 0]
    if len(sizes) < _LEAST:
        raise _nothing_in_common()
    return centre, 1.0 * float(np.quantile(sizes, 0.8))


def _carve(cameras: Mapping[int, Camera], silhouette: Silhouette, how: _Fineness) -> _Hull:
    """Carve from coarse to fine; no voxel may remain. One more vote than allowed is kept, as a camera's own vote does
    not count against itself.
    """
    if len(cameras) < _LEAST:
        raise JobError(
            f"Only {len(cameras)} tracked frames have a pose; {_LEAST} are needed.", hint="Track more of the clip."
        )
    centre, radius = _around(cameras, silhouette)
    carvers = spread(sorted(cameras), how.carvers)
    size = 2 * radius / _COARSE
    steps = (np.arange(_COARSE) + 0.5) * size - radius
    voxels = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3) + centre
    level = 0
    while True:
        last = level == how.halvings or 8 * len(voxels) > how.most
        seen, votes, outside = _counted(cameras, silhouette, carvers, how, voxels, 0.0 if last else size)
        keep = (seen >= 0.25 * len(carvers)) & (outside <= _allowed(seen, how.wrong) + 1)
        voxels = voxels[keep]
        if last:
            return _Hull(how, carvers, centre, voxels, size, seen[keep], votes[keep], outside[keep])
        level, size = level + 1, size / 2
        corners = np.stack(np.meshgrid(*[(-0.5, 0.5)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
        voxels = (voxels[:, None] + corners * size).reshape(-1, 3)


def _counted(
    cameras: Mapping[int, Camera],
    silhouette: Silhouette,
    carvers: Sequence[int],
    how: _Fineness,
    voxels: Points,
    size: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return `seen`, `votes` and `outside` of `_Hull` for voxels of that size."""
    seen, votes, outside = np.zeros(len(voxels), np.int64), np.zeros(len(voxels), np.int64), np.zeros(len(voxels))
    for frame in carvers:
        away = _distance(_small(silhouette(frame), how.side))
        for start in range(0, len(voxels), _CHUNK):
            part = slice(start, start + _CHUNK)
            far, reach = _look(cameras[frame], away, voxels[part], size)
            seen[part] += far >= 0
            votes[part] += far > _NARROW
            outside[part] += how.outside(far, reach)
    return seen, votes, outside


def _allowed(seen: NDArray[np.int64], wrong: float) -> NDArray[np.int64]:
    return np.maximum(1, (wrong * seen).astype(np.int64))


def _look(
    camera: Camera, away: NDArray[np.float32], voxels: Points, size: float
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return how far outside the silhouette each voxel's centre is, in pixels (-1: not seen), and its radius."""
    places, depth = camera.project(voxels)
    with np.errstate(invalid="ignore"):
        sees = (places >= 0).all(axis=1) & (places < 1).all(axis=1)
    side = len(away)
    at = (places[sees] * side).astype(np.intp)
    far = np.full(len(voxels), -1, np.float32)
    far[sees] = away[at[:, 1], at[:, 0]]
    return far, side * max(camera.lens.focal) * size * math.sqrt(3) / 2 / np.where(sees, depth, 1.0)


def _compare(camera: Camera, mask: Mask, hull: _Hull, carved: bool) -> Disagreement:
    wide, narrow = _seen(camera, _distance(mask), hull, carved)
    possible, near = cv2.dilate(wide, _PIXEL) > 0, cv2.dilate(mask.astype(np.uint8), _PIXEL) > 0
    area = int(mask.sum())
    return Disagreement(
        float((mask & ~possible).sum() / max(area, 1)),
        float(((narrow > 0) & ~near).sum() / max(area, int(narrow.sum()), 1)),
    )


def _seen(
    camera: Camera, away: NDArray[np.float32], hull: _Hull, carved: bool
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the wide and the narrow hull as the camera sees them, 0 or 1, without its own votes if it carved.

    away: distances from its own silhouette, as returned by `_distance`.
    """
    far, _ = _look(camera, away, hull.voxels, 0.0)
    allowed = _allowed(hull.seen, hull.how.wrong)
    wide = (far >= 0) & (hull.outside - carved * hull.how.outside(far) <= allowed)
    narrow = (far >= 0) & (hull.votes - carved * (far > _NARROW) <= allowed)

    def drawn(which: Mask) -> NDArray[np.uint8]:
        return np.asarray(_drawn(camera, hull, ~which, len(away)) == 0, np.uint8)

    return drawn(wide), drawn(narrow)


def _drawn(camera: Camera, hull: _Hull, values: NDArray[Any], side: int) -> NDArray[np.float32]:
    """Render the least of the voxels' values, 0 to 1, along each ray of the camera; 1 where there is no voxel."""
    image = np.ones((side, side), np.float32)
    places, depth = camera.project(hull.voxels)
    with np.errstate(invalid="ignore"):
        sees = (places >= 0).all(axis=1) & (places < 1).all(axis=1)
    at = (places[sees] * side).astype(np.intp)
    np.minimum.at(image, (at[:, 1], at[:, 0]), values[sees].astype(np.float32))
    if sees.any():
        footprint = hull.size / float(np.median(depth[sees])) * side
        width, height = (2 * math.ceil(min(0.5 * footprint * focal, side)) + 1 for focal in camera.lens.focal)
        image = np.asarray(cv2.morphologyEx(image, cv2.MORPH_OPEN, np.ones((height, width), np.uint8)), np.float32)
    return image


def _small(mask: Mask, side: int) -> Mask:
    area = cv2.resize(mask.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(area >= 0.5)


def _distance(mask: Mask) -> NDArray[np.float32]:
    """Return each pixel's distance from the silhouette in pixels; 0 inside."""
    if not mask.any():
        return np.full(mask.shape, 4.0 * len(mask), np.float32)
    return np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5), np.float32)


def _nothing_in_common() -> JobError:
    return JobError(
        "Seen from these cameras, the mattes have no place in common.",
        hint="Name the poses of this clip. The subject has to stand still in their world.",
    )
