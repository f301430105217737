"""Carries mattes to another frame: along the optical flow, then by matching small patches of the pictures.

The flow misses the subject's edge by some pixels, the more the farther a matte is carried. So each pixel takes the mean
label of the pixels around the place where the flow has it, weighted by how well the patches around them match: label
fusion, which comes from medical atlases (Coupé et al., "Patch-based segmentation using expert segmentations",
NeuroImage 2011; Rousseau et al., "A supervised patch-based approach for human brain labeling", TMI 2011). Several known
frames take part, whose errors at the edge are independent.

What is carried from two sides is joined in the same way: at each pixel, the side with the better match counts more. So
what one side cannot see, because it was hidden there, comes from the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .both_sides import SIDE, Flow, Soft

_REACH, _STEP = 4, 2  # pixels: how far from the flow's place patches are searched, and their distance
_PATCH = 3  # pixels
_LEAST = 9.0  # squared difference of two patches, summed over the channels, that noise alone gives
_COLOUR = np.ones((1, 3), np.float32)  # sums the channels


@dataclass(frozen=True, slots=True)
class Carried:
    """A matte that was carried to a frame.

    matte: as in both_sides.py.
    misfit: float32 (SIDE, SIDE): squared difference of the best patch from the picture's, summed over the channels.
    """

    matte: Soft
    misfit: NDArray[np.float32]


def carried(flow: Flow, anchors: Mapping[int, Soft], frames: Sequence[int]) -> dict[int, Carried]:
    """Carry the mattes of some frames together through others, and return each of these.

    Args:
        flow: the flow of the footage.
        anchors: known mattes by clip frame, consecutive, the last or first of them beside frames[0].
        frames: consecutive clip frames, rising or falling, away from the anchors.

    Raises:
        FootageError: a frame can't be read.
    """
    start = frames[0] - 1 if frames[0] - 1 in anchors else frames[0] + 1
    step = frames[0] - start
    places: dict[int, NDArray[np.float32]] = {}
    pictures: dict[int, NDArray[np.uint8]] = {}
    found = {}
    way = sorted(anchors, reverse=step < 0)
    for frame in [*way, *frames]:
        if places:
            places = flow.moved(places, frame - step, frame)
        if frame in anchors:
            places[frame], pictures[frame] = flow.grid, flow.picture(frame)
        else:
            seen = [(_at(pictures[anchor], places[anchor]), _at(anchors[anchor], places[anchor])) for anchor in way]
            found[frame] = fused(flow.picture(frame), seen)
    return found


def fused(picture: NDArray[np.uint8], seen: Sequence[tuple[NDArray[np.uint8], Soft]]) -> Carried:
    """Label a picture by others that lie nearly on it.

    Args:
        picture: uint8 (SIDE, SIDE, 3) RGB.
        seen: for each of the others, its picture and its matte.
    """
    area = _around([matte for _, matte in seen])
    matte = np.zeros((SIDE, SIDE), np.float32)
    misfit = np.minimum.reduce([_misfit(picture, other) for other, _ in seen])  # elsewhere, as the flow has it
    height, width = picture[area].shape[:2]
    if not height * width:
        return Carried(matte, misfit)
    misfits: list[Any] = []
    labels: list[Any] = []
    for other, label in seen:
        wider, labelled = (
            cv2.copyMakeBorder(image[area], _REACH, _REACH, _REACH, _REACH, cv2.BORDER_REPLICATE)
            for image in (other, label)
        )
        for y in range(0, 2 * _REACH + 1, _STEP):
            for x in range(0, 2 * _REACH + 1, _STEP):
                place = np.s_[y : y + height, x : x + width]
                misfits.append(_misfit(picture[area], wider[place]))
                labels.append(labelled[place])
    misfit[area] = least = np.minimum.reduce(misfits)
    scale = -1 / np.maximum(least, _LEAST)
    total, weighed = np.zeros_like(least), np.zeros_like(least)
    for some, label in zip(misfits, labels, strict=True):
        weights = cv2.exp(some * scale)
        total += weights
        weighed += weights * label
    matte[area] = weighed / total
    return Carried(matte, misfit)


def _misfit(one: Any, other: Any) -> Any:
    """Return how far the patch around each pixel differs between two pictures, as in `Carried`."""
    off = cv2.absdiff(one, other).astype(np.float32)
    return cv2.blur(cv2.transform(off * off, _COLOUR), (_PATCH, _PATCH))


def joined(sides: Sequence[Carried]) -> Soft:
    """Return one matte of those that were carried to the same frame from several sides."""
    weights = _weights(sides)
    mattes = zip(sides, weights, strict=True)
    return np.asarray(sum(side.matte * weight for side, weight in mattes) / sum(weights), np.float32)


def agreement(one: Carried, other: Carried) -> float:
    """Return the IoU of two sides where both see the subject or its surroundings equally well, 0 to 1.

    Where the picture matches one side much better, the other one may be wrong: it does not see that place.
    """
    both = np.minimum(*_weights([one, other]))
    a, b = one.matte >= 0.5, other.matte >= 0.5
    union = float(both[a | b].sum())
    return float(both[a & b].sum()) / union if union else 1.0


def _weights(sides: Sequence[Carried]) -> list[NDArray[np.float32]]:
    """Return how much each side counts at each pixel: 1 for the one that matches best."""
    least = np.minimum.reduce([side.misfit for side in sides])
    scale = -1 / np.maximum(least, _LEAST)
    return [np.exp((side.misfit - least) * scale) for side in sides]


def _at(image: Any, places: NDArray[np.float32]) -> Any:
    return cv2.remap(image, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]


def _around(mattes: Sequence[Soft]) -> tuple[slice, slice]:
    """Return the rectangle in which any of the mattes can have an edge."""
    x, y, width, height = cv2.boundingRect((np.maximum.reduce(mattes) > 0.01).astype(np.uint8))
    if not width:
        return slice(0), slice(0)
    margin = _REACH + _PATCH
    return slice(max(0, y - margin), y + height + margin), slice(max(0, x - margin), x + width + margin)
