"""Measures a tracked matte: on its own, and against the two frames before it.

The mattes of a take never change (its key is a hash of everything that determines them), so the measures are computed
once and kept in `measures.npz` beside them.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ...contract.boundary import read_or
from ...contract.disk import write_file
from ..store.matte_store import Matte, Take

_VERSION = 1  # increase it when the meaning of the numbers changes
_OFFSET = 1.0  # logits; as in SAM's automatic mask generator
_SPECK = 4  # pixels of the logits' grid: smaller pieces count as noise

Mask = NDArray[np.bool_]


class Measure(NamedTuple):
    """The measures of one frame. Lengths are in sides of the logits' grid; NaN where there is nothing to measure.

    iou: predicted IoU, 0 to 1.
    score: object score, a logit; below 0 the model takes the object for hidden.
    stability: area at a higher threshold / area at a lower one, 0 to 1; low where the edge is uncertain
        (`calculate_stability_score` of segment-anything's amg.py).
    area: fraction of the frame.
    x, y: centroid.
    outside: fraction of the area outside the largest piece.
    border: length that touches the image's border.
    overlap, overlap2: IoU with the matte one and two frames before, in place or with aligned centroids, whichever is
        larger.
    thumb: the matte at _THUMB x _THUMB pixels, one bit each.
    """

    iou: float
    score: float
    stability: float
    area: float
    x: float
    y: float
    outside: float
    border: float
    overlap: float
    overlap2: float
    thumb: bytes

    def likeness(self, other: Measure) -> float:
        """Return how alike two frames at any distance are: the mean of the IoU in place and with aligned centroids."""
        a, b = (
            np.unpackbits(np.frombuffer(entry.thumb, np.uint8)).reshape(_THUMB, _THUMB) > 0 for entry in (self, other)
        )
        in_place, moved = overlaps((a, *_centroid(a)), (b, *_centroid(b)))
        return (in_place + moved) / 2


_THUMB = 32


def measure(take: Take) -> dict[int, Measure]:
    """Measure all frames of a take that have a matte, in clip order; the caller holds it (`Take.reviewing`).

    Raises:
        OutputError: a matte is damaged, or has been deleted meanwhile.
        OSError: the result can't be written.
    """
    frames = take.frames()
    known = _load(take)
    found: dict[int, Measure] = {}
    recent: dict[int, tuple[Mask, float, float]] = {}

    def mask_of(frame: int) -> tuple[Mask, float, float]:
        if frame not in recent:
            mask = take.tracked(frame).logits > 0
            recent[frame] = (mask, *_centroid(mask))
        return recent[frame]

    tracked = set(frames)
    for frame in frames:
        before = [earlier for earlier in (frame - 1, frame - 2) if earlier in tracked]
        old = known.get(frame)
        if old is not None and 2 - math.isnan(old.overlap) - math.isnan(old.overlap2) == len(before):
            found[frame] = old
            continue
        matte = take.tracked(frame)
        mask = matte.logits > 0
        this = recent[frame] = (mask, *_centroid(mask))
        beside = [
            max(overlaps(mask_of(earlier), this)) if earlier in tracked else math.nan
            for earlier in (frame - 1, frame - 2)
        ]
        small = cv2.resize(this[0].astype(np.float32), (_THUMB, _THUMB), interpolation=cv2.INTER_AREA) >= 0.5
        found[frame] = Measure._make([*_alone(matte, *this), *beside, np.packbits(small).tobytes()])
        for gone in [index for index in recent if index < frame - 1]:
            del recent[gone]
    if found != known:
        _save(take, found)
    return found


def _alone(matte: Matte, mask: Mask, x: float, y: float) -> tuple[float, ...]:
    height, width = mask.shape
    area = int(mask.sum())
    low = int((matte.logits > -_OFFSET).sum())
    stability = int((matte.logits > _OFFSET).sum()) / low if low else 1.0
    sizes = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)[2][1:, cv2.CC_STAT_AREA]
    outside = (sizes[sizes >= _SPECK].sum() - sizes.max()) / area if area > _SPECK else 0.0
    border = (mask[0].sum() + mask[-1].sum()) / width + (mask[:, 0].sum() + mask[:, -1].sum()) / height
    return (
        matte.iou,
        matte.object_score,
        stability,
        area / mask.size,
        x / width,
        y / height,
        max(0.0, float(outside)),
        float(border),
    )


def overlaps(one: tuple[Mask, float, float], other: tuple[Mask, float, float]) -> tuple[float, float]:
    """Return the IoU of two masks with their centroids: in place, and aligned; 1 if both are empty."""
    (a, ax, ay), (b, bx, by) = one, other
    if not a.any() or not b.any():
        equal = float(a.any() == b.any())
        return equal, equal
    moved = np.zeros_like(a)
    dx, dy = round(bx - ax), round(by - ay)
    height, width = a.shape
    moved[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)] = a[
        max(-dy, 0) : height + min(-dy, 0), max(-dx, 0) : width + min(-dx, 0)
    ]
    return float((a & b).sum() / (a | b).sum()), float((moved & b).sum() / (moved | b).sum())


def _centroid(mask: Mask) -> tuple[float, float]:
    """Return x, y in pixels of the grid; NaN if the mask is empty."""
    moments = cv2.moments(mask.astype(np.uint8), binaryImage=True)
    area = moments["m00"]
    return (moments["m10"] / area, moments["m01"] / area) if area else (math.nan, math.nan)


def _load(take: Take) -> dict[int, Measure]:
    def read() -> dict[int, Measure]:
        with np.load(take.measures_path, allow_pickle=False) as data:
            if int(data["version"]) != _VERSION:
                return {}
            rows = zip(data["frames"].tolist(), data["values"].tolist(), data["thumbs"], strict=True)
            return {frame: Measure._make([*values, thumb.tobytes()]) for frame, values, thumb in rows}

    return read_or({}, read)


def _save(take: Take, found: dict[int, Measure]) -> None:
    kept: dict[str, Any] = {
        "version": np.int32(_VERSION),
        "frames": np.array(list(found), np.int32),
        "values": np.array([entry[:-1] for entry in found.values()], np.float64),
        "thumbs": np.array([np.frombuffer(entry.thumb, np.uint8) for entry in found.values()]),
    }
    write_file(take.measures_path, lambda file: np.savez(file, **kept), sync=False)
