"""Transients: turns a splat trainer's rough masks and differences into clean, tracked masks of moving objects.

A reimplementation of T-3DGS's video segmentor (Pryadilshchikov et al., arXiv 2412.00155) that uses SAM 2 alone:

1. Gaps in the regions of the rough mask are closed, and their borders move to edges of the picture, by colour and by
   the difference nearby. Random points in the regions give automatic masks. Masks inside the rough mask are accepted,
   and so is the rest of the regions.
2. Labels are tracked as in labelling.py. A predicted mask is rejected if the rough mask contradicts it. On frames
   without a rough mask it is rejected if its size changes suddenly or if it is unlike the shapes around it.
3. Labels with little difference, and labels on too few frames, are dropped as false alarms.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ...contract.automatic import Transients
from ...contract.job import Job
from ..footage.footage import Reader
from ..footage.images import to_8_bit
from ..sam2.model import Loaded
from ..store.matte_store import Matte, Take
from .evidence import Evidence, Rough
from .grid import AROUND, Mask, dilated, iou, part_inside, resized, to_logits, to_mask
from .labelling import KEPT, Labelling, Last
from .masks import MASK_SIDE, Settings, stopping
from .proposals import propose
from .tracks import Tracker

NAME = "transients"  # name of the object

_LEAST_POINTS = 10
_POINTS_PER_PIXEL = 0.01
_CLOSED = 0.012  # share of the longer side: size of gaps in a rough mask that are closed
_LEAST_REGION = 0.002  # share of the picture: area above which a region is accepted as it is
_MARGIN = 0.016  # share of the longer side: distance of the true edge from the edge of a region, at most
_PACE = 0.04  # share of the longer side: motion from one frame to the next, at most
_REACH = 8  # times the margin: distance up to which differing pixels belong to a region
_STATIC = 3  # times the usual difference of static areas: visibly different
_COVERED = 0.9  # share of a region above which its labels cover it
_SUDDEN = 2.0  # ratio of the areas of a mask and of its label's last mask, at most, without other evidence
_LIKE = 0.75  # IoU with the rough regions or an interpolated shape, below which these replace a prediction
_BRIEF = 3  # number of frames on which a label must be seen
_SEEN = 0.5  # share of a mask inside the rough mask, above which the rough mask confirms it


@dataclass(frozen=True, slots=True)
class Value:
    """A label's rating. frames: number of frames on which rough masks confirm it; value: see `filter_threshold`."""

    frames: int
    value: float


@dataclass(frozen=True, slots=True)
class _Shown:
    """The evidence of a frame. closed: its rough mask without small gaps; regions: connected moving regions."""

    rough: Rough
    closed: Mask
    regions: list[Mask]


class Refinement:
    """One search in a clip."""

    def __init__(self, job: Job, search: Transients, reader: Reader, evidence: Evidence) -> None:
        self._job = job
        self._search = search
        self._reader = reader
        self._evidence = evidence
        longer = max(evidence.size)
        self._around = max(1, round(AROUND * longer / MASK_SIDE))
        self._close = _disk(max(1, round(_CLOSED * longer)))
        self._pace = max(1, round(_PACE * longer))
        self._margin = max(2, round(_MARGIN * longer))
        self._shown: tuple[int, _Shown] | None = None  # of the last frame, which is used for every label

    def run(
        self,
        loaded: Loaded,
        folder: Path,
        on_frame: Callable[[int, int, int], None],
        cancelled: Callable[[], bool],
    ) -> Take:
        """Search all frames. Returns mattes of moving areas, or empty ones. Raises what Labelling.run raises."""
        job = self._job
        indices = range(job.frames[0] - 1, job.frames[-1])
        with loaded.computing():
            self._predictor = loaded.predictor
            self._ask = stopping(cancelled, KEPT)
            labels = Labelling(
                Tracker(loaded.predictor, self._reader, job.footage.frame_count),
                indices,
                folder,
                size=self._evidence.size,
                memory_size=self._search.memory_size,
                lambda_merge=self._search.lambda_merge,
                propose=self._propose,
                accept=self._accept,
            ).run(on_frame, cancelled)
        kept = [take for take in labels.values() if self._counts(self.value(take))]
        for take in kept:
            self._bridge(take)
        result = Take(folder / "result")
        for frame in job.frames:
            logits = to_logits(np.zeros(self._evidence.size, np.bool_))
            for take in kept:
                matte = take.matte(frame)
                if matte is not None:
                    logits = np.maximum(logits, matte.logits)
            result.put_matte(frame, Matte(logits, 1.0, 1.0))
        return result

    def value(self, take: Take) -> Value:
        """Rate a label over the frames on which the rough mask confirms it: the sum of differences divided by the area.

        Differences count only inside the rough mask or where they are visible; the area counts as a whole. The original
        multiplies the mean difference by the area inside the rough mask, which counts small differences twice, and
        divides by the largest area, which drops things that walk away.
        """
        shown = area = 0.0
        frames = 0
        for frame in self._job.frames:
            mask = self._mask(take, frame)
            if not mask.any():
                continue
            rough = self._evidence.rough(frame)
            seen = self._closed(rough.mask) | self._differs(rough)
            part = part_inside(mask, seen)
            frames += bool(part > _SEEN)
            if part > self._search.lambda_val:
                shown += float(rough.diff[mask & seen].sum())
                area += np.count_nonzero(mask)
        return Value(frames, shown / area if area else 0.0)

    def _counts(self, value: Value) -> bool:
        return value.value > self._search.filter_threshold and value.frames >= min(_BRIEF, len(self._job.frames))

    def _bridge(self, take: Take) -> None:
        """Interpolate the shape on frames without a rough mask, unless the prediction is similar."""
        shown = {frame for frame in self._job.frames if self._evidence.rough(frame).mask.any()}
        known = [frame for frame in self._job.frames if frame in shown and self._mask(take, frame).any()]
        for before, after in itertools.pairwise(known):
            gap = [frame for frame in range(before + 1, after) if frame not in shown]
            if not gap or after - before > self._search.memory_size:
                continue
            first, last = self._mask(take, before), self._mask(take, after)
            for frame in gap:
                shape = between(first, last, (frame - before) / (after - before))
                if iou(self._mask(take, frame), shape) <= _LIKE:
                    if shape.any():
                        nothing = np.zeros_like(shape)
                        shape = snapped(shape, shape, nothing, self._picture(frame - 1), self._margin)
                    take.put_matte(frame, Matte(to_logits(shape), 1.0, 1.0))

    def _mask(self, take: Take, frame: int) -> Mask:
        """The mask of a label on a clip frame; empty if there is none."""
        matte = take.matte(frame)
        return np.zeros(self._evidence.size, np.bool_) if matte is None else to_mask(matte.logits, self._evidence.size)

    # -- what is labelled -----------------------------------------------------------------------------------------

    def _propose(
        self, index: int, found: dict[int, Mask], before: Callable[[], dict[int, Last]]
    ) -> Iterator[tuple[Mask, int | None]]:
        shown = self._at(index)
        rough = shown.rough
        covered = np.logical_or.reduce([np.zeros(self._evidence.size, np.bool_), *found.values()])
        points = self._points(rough.mask & ~dilated(covered, self._around), index)
        if not len(points) and all(part_inside(region, covered) > _COVERED for region in shown.regions):
            return
        proposals = propose(self._predictor, self._reader, index + 1, Settings(), points=points, cancelled=self._ask)
        for proposal in sorted(proposals, key=lambda proposal: -proposal.area):
            mask = resized(proposal.mask(), self._evidence.size)
            inside = part_inside(mask, shown.closed) > self._search.lambda_ref
            if inside and part_inside(mask, covered) < self._search.lambda_ref:
                covered |= mask
                yield mask, None
        for region in shown.regions:
            # including labelled parts, because without them a gap would remain
            if part_inside(region, covered) <= _COVERED:
                yield region, continues(region, before(), self._pace)

    def _points(self, free: Mask, index: int) -> NDArray[np.float64]:
        """Random points in all regions of the rough mask: (n, 2), x and y in 0..1."""
        noise = np.random.default_rng((self._search.seed, index))
        count, labels, stats, _ = cv2.connectedComponentsWithStats(free.astype(np.uint8))
        chosen = [np.zeros((0, 2))]
        for i in range(1, count):
            wanted = max(_LEAST_POINTS, int(stats[i, cv2.CC_STAT_AREA] * _POINTS_PER_PIXEL))
            ys, xs = np.nonzero(labels == i)
            if len(xs) >= wanted:
                pick = noise.choice(len(xs), wanted, replace=False)
                chosen.append((np.stack([xs[pick], ys[pick]], axis=1) + 0.5) / free.shape[::-1])
        return np.concatenate(chosen)

    def _closed(self, mask: Mask) -> Mask:
        return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, self._close) > 0

    def _differs(self, rough: Rough, usual: float = 0.0) -> Mask:
        """Return where the local mean difference exceeds that of false alarms and visibly exceeds `usual`, 0..1."""
        near = cv2.boxFilter(rough.diff, -1, (2 * self._around + 1,) * 2)
        return np.asarray(near > max(self._search.filter_threshold / 2, _STATIC * usual))

    def _regions(self, rough: Rough) -> Iterator[Mask]:
        """The connected regions of a rough mask that are large enough for a label, the largest first."""
        free = self._closed(rough.mask & self._differs(rough))
        opened = cv2.morphologyEx(free.astype(np.uint8), cv2.MORPH_OPEN, _disk(max(1, self._around // 3)))
        count, labels, stats, _ = cv2.connectedComponentsWithStats(opened)
        order = sorted(range(1, count), key=lambda i: (-stats[i, cv2.CC_STAT_AREA], i))
        for i in order:
            if stats[i, cv2.CC_STAT_AREA] >= _LEAST_REGION * free.size:
                yield labels == i

    def _accept(self, index: int, mask: Mask, last: Last) -> bool:
        """Whether a prediction lies in the rough mask and is similar to its regions, which are better otherwise."""
        shown = self._at(index)
        if not shown.rough.mask.any():
            return last[1] <= _BRIEF and _alike(mask, last[0])
        regions = [region for region in shown.regions if (region & mask).any()]
        like = not regions or iou(mask, np.logical_or.reduce(regions)) > _LIKE
        return like and part_inside(mask, shown.closed) > self._search.lambda_val

    def _at(self, index: int) -> _Shown:
        if self._shown is None or self._shown[0] != index:
            rough = self._evidence.rough(index + 1)
            regions = list(self._regions(rough))
            if regions:
                picture = self._picture(index)
                static = float(np.median(rough.diff[~rough.mask])) if not rough.mask.all() else 0.0
                differs = self._differs(rough, static)
                regions = [snapped(region, rough.mask, differs, picture, self._margin) for region in regions]
            self._shown = index, _Shown(rough, self._closed(rough.mask), regions)
        return self._shown[1]

    def _picture(self, index: int) -> NDArray[np.uint8]:
        """A frame at the size of the evidence, uint8 (h, w, 3)."""
        return _reduced(to_8_bit(self._reader.plate(index + 1).pixels), self._evidence.size)


def _alike(mask: Mask, last: Mask) -> bool:
    """Whether two areas are similar enough for consecutive masks of a label."""
    area, before = np.count_nonzero(mask), np.count_nonzero(last)
    return bool(before and 1 / _SUDDEN < area / before < _SUDDEN)


def between(a: Mask, b: Mask, at: float) -> Mask:
    """Interpolate between the shapes a and b, which must not be empty, at 0..1 of the way: both outline and position.

    The signed distances of both shapes are blended after they are moved to a common centre (Raya and Udupa, Shape-based
    interpolation, 1990).
    """
    centres = [np.argwhere(mask).mean(axis=0) for mask in (a, b)]
    middle = centres[0] * (1 - at) + centres[1] * at
    mixed = np.zeros(a.shape, np.float32)
    for mask, centre, weight in zip((a, b), centres, (1 - at, at), strict=True):
        inside = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
        outside = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
        dy, dx = middle - centre
        move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
        moved = cv2.warpAffine(inside - outside, move, a.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        mixed += np.float32(weight) * moved
    return mixed > 0


def snapped(region: Mask, sure: Mask, differs: Mask, picture: NDArray[np.uint8], margin: int) -> Mask:
    """Move the edge of a rough region to an edge in the picture: GrabCut (Rother et al., SIGGRAPH 2004).

    Args:
        region: bool (h, w), not empty.
        sure: bool (h, w). Pixels inside both the region and `sure` stay, except the outermost ones.
        differs: bool (h, w). Differing pixels that are connected to the region are added, unless their colour speaks
            against it: a rough mask has gaps where a moving object looks like its background.
        picture: uint8 (h, w, 3), RGB.
        margin: distance from the region in pixels up to which other pixels are added; differing pixels are added up to
            eight times that.

    Returns:
        bool (h, w).
    """
    ys, xs = np.nonzero(region)
    reach = _REACH * margin
    area = np.s_[max(0, ys.min() - reach) : ys.max() + reach + 1, max(0, xs.min() - reach) : xs.max() + reach + 1]
    part = region[area].astype(np.uint8)
    inner = part & sure[area]
    _, joined = cv2.connectedComponents(part | differs[area])
    marks = np.full(part.shape, cv2.GC_BGD, np.uint8)
    marks[cv2.dilate(part, _disk(margin)) > 0] = cv2.GC_PR_BGD
    marks[np.isin(joined, np.unique(joined[part > 0]))] = cv2.GC_PR_FGD
    marks[cv2.erode(inner, _disk(max(1, margin // 5))) > 0] = cv2.GC_FGD
    if not (marks == cv2.GC_FGD).any() or not (marks != cv2.GC_FGD).any():
        return region
    cv2.setRNGSeed(0)
    colours = np.ascontiguousarray(picture[area][..., ::-1])
    cv2.grabCut(colours, marks, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), 2, cv2.GC_INIT_WITH_MASK)
    result = np.zeros_like(region)
    result[area] = (marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)
    return result


def continues(mask: Mask, before: dict[int, Last], pace: int) -> int | None:
    """Find the label that a region continues: the one that most of it can have come from at `pace` pixels per frame.

    If there is none, find a label that was cut off by the picture's border and therefore grows as it enters: the one of
    which most can have moved into the region.
    """
    came, grew = dict[int, float](), dict[int, float]()
    for label, (region, away) in before.items():
        reach = _disk(pace * away)
        came[label] = part_inside(mask, cv2.dilate(region.astype(np.uint8), reach) > 0) / away
        if region[[0, -1]].any() or region[:, [0, -1]].any():
            grew[label] = part_inside(region, cv2.dilate(mask.astype(np.uint8), reach) > 0) / away
    for near in (came, grew):
        share, best = max(((share, -label) for label, share in near.items()), default=(0.0, 0))
        if best and share * before[-best][1] > _SEEN:
            return -best
    return None


def _reduced(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    if picture.shape[:2] == size:
        return picture
    return np.asarray(cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def _disk(radius: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8)
