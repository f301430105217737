"""Judges each Gaussian of a splat by the mattes: is it part of the subject?

A Gaussian whose centre lies outside the mattes of several cameras, and inside none, is background that the trainer
kept. One that some cameras see on the subject and many beside it is a floater in front of or behind the subject, or a
part of the subject that is occluded in these cameras. The mattes alone can't distinguish these two, so floaters are
counted, and removed only on request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ...contract.errors import JobError
from ..review.cameras import Camera, Points

_MISTAKEN = 0.08  # fraction of the cameras that may see a Gaussian of the subject outside, as in review/visual_hull
_SIDE = 2048  # longer side of the mattes used, in pixels
_MARGIN = 400  # mattes are dilated by longer side / _MARGIN, as centres at the edge belong to the subject
_CHUNK = 1_000_000  # Gaussians processed at once

Matte = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The classification of each Gaussian, bool (n,) each; the two exclude each other.

    outside: no camera sees it on the subject, and enough cameras see it beside it.
    floaters: some cameras see it on the subject, and too many beside it.
    cameras: the number of cameras used.
    """

    outside: Matte
    floaters: Matte
    cameras: int


def judge(
    places: Points,
    cameras: Mapping[int, Camera],
    frames: Sequence[int],
    matte: Callable[[int], Matte],
    views: int,
    on_frame: Callable[[int, int, int], None] = lambda done, total, frame: None,
) -> Verdict:
    """Classify Gaussians by the mattes around their centres.

    Args:
        places: (n, 3) float64, in the world of the cameras.
        cameras: by clip frame.
        frames: the clip frames that have a matte.
        matte: returns the matte of a clip frame, bool (H, W), upright.
        views: how many cameras must see a Gaussian outside before it counts as outside.
        on_frame: called for each frame with (frames done, total, clip frame); an exception from it ends the work.

    Raises:
        JobError: fewer frames than `views` have both a matte and a pose.
    """
    chosen = [frame for frame in frames if frame in cameras]
    if len(chosen) < views:
        raise JobError(
            f"{len(chosen)} frames have both a matte and a pose; {views} are needed.",
            where="poses",
            hint="Name the poses of the footage that the version was made from.",
        )
    inside = np.zeros(len(places), np.uint32)
    outside = np.zeros(len(places), np.uint32)
    for done, frame in enumerate(chosen, 1):
        subject = _widened(matte(frame))
        for start in range(0, len(places), _CHUNK):
            part = slice(start, start + _CHUNK)
            seen, on_subject = _looked_up(cameras[frame], places[part], subject)
            inside[part] += on_subject
            outside[part] += seen & ~on_subject
        on_frame(done, len(chosen), frame)
    nowhere = (outside >= views) & (inside == 0)
    doubtful = (outside >= views) & (inside > 0) & (outside > _MISTAKEN * (inside + outside))
    return Verdict(nowhere, doubtful, len(chosen))


def _widened(matte: Matte) -> Matte:
    """Return a matte reduced for fast lookup and slightly dilated."""
    high, wide = matte.shape
    scale = min(1.0, _SIDE / max(high, wide))
    size = max(1, round(wide * scale)), max(1, round(high * scale))
    small = cv2.resize(matte.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA) > 0
    radius = max(1, round(max(size) / _MARGIN))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.dilate(small.astype(np.uint8), disc) > 0)


def _looked_up(camera: Camera, places: Points, subject: Matte) -> tuple[Matte, Matte]:
    """Return which places are in the picture, and which of these are on the subject: bool (n,) each."""
    high, wide = subject.shape
    image, _ = camera.project(places)
    with np.errstate(invalid="ignore"):
        seen: Matte = np.asarray(((image >= 0) & (image < 1)).all(axis=1))
    column, row = ((image[seen] * (wide, high)).astype(np.intp)).T
    on_subject = np.zeros(len(places), np.bool_)
    on_subject[seen] = subject[row, column]
    return seen, on_subject
