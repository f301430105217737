"""Chooses frames: the sharpest of each stretch over which the picture moved, without blurred ones."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .looks import Look

_AROUND = 12  # frames to either side that a frame's sharpness is compared with
_SHARP = 80  # percentile of their sharpness that counts as sharp
_BLURRED = 0.6  # blurred if below that by this power of two: fine detail has lost a third of its energy
_DUPLICATE = 0.004  # fraction of the picture: smaller motion makes a duplicate
_MIDDLE = 0.7  # middle part of a stretch in which its frame is preferably chosen, for even spacing
_UNKNOWN = 0.05  # fraction of the picture: assumed motion if no feature can be followed in the whole clip
_TRIES = 4  # most stretches per requested frame, as stretches without a sharp frame give none

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Choice:
    """Clip frames, ascending.

    kept: frames to use.
    blurred: dropped, as they are much less sharp than the frames around them.
    duplicates: dropped, as the picture has hardly moved since another kept frame.
    """

    kept: tuple[int, ...]
    blurred: tuple[int, ...]
    duplicates: tuple[int, ...]


def choose(cameras: Sequence[Sequence[Look]], count: int = 0) -> Choice:
    """Choose frames.

    Args:
        cameras: the looks of each camera's frames, in clip order.
        count: most frames to keep, over all cameras; 0: all but the blurred and the duplicates.
    """
    total = sum(map(len, cameras))
    found = [_of_one(looks, round(count * len(looks) / total) or int(count > 0)) for looks in cameras if looks]
    kept, blurred, duplicates = (tuple(itertools.chain.from_iterable(parts)) for parts in zip(*found, strict=True))
    return Choice(kept, blurred, duplicates)


def _of_one(looks: Sequence[Look], count: int) -> tuple[list[int], list[int], list[int]]:
    frames = [look.frame for look in looks]
    sharpness = np.array([look.sharpness for look in looks])
    blurred = _blurred(sharpness)
    rank = np.where(np.isnan(sharpness) | blurred, -np.inf, sharpness)
    usable = ~blurred
    places = _places(np.array([look.moved for look in looks]))
    apart = _apart(rank, usable, places, _DUPLICATE)
    kept = _spread(rank, usable, places, count) if count else apart
    worth = {*apart, *kept}
    duplicates = [i for i in np.flatnonzero(usable) if i not in worth]
    return (
        [frames[i] for i in kept],
        [frames[i] for i in np.flatnonzero(blurred)],
        [frames[i] for i in duplicates],
    )


def _blurred(sharpness: Numbers) -> NDArray[np.bool_]:
    """Return which frames are much less sharp than most around them; frames of unknown sharpness are not."""
    found = np.zeros(len(sharpness), np.bool_)
    for i, own in enumerate(sharpness):
        around = sharpness[max(0, i - _AROUND) : i + _AROUND + 1]
        known = around[~np.isnan(around)]
        if not np.isnan(own) and len(known) > 1:
            found[i] = own < np.percentile(known, _SHARP) - _BLURRED
    return found


def _places(moved: Numbers) -> Numbers:
    """Return the distance that the picture has moved up to each frame; unknown steps count as the median."""
    moved = moved.copy()
    moved[0] = 0.0
    known = moved[1:][~np.isnan(moved[1:])]
    usual = float(np.median(known)) if len(known) else 0.0
    return np.cumsum(np.where(np.isnan(moved), usual or _UNKNOWN, moved))


def _apart(rank: Numbers, usable: NDArray[np.bool_], places: Numbers, distance: float) -> list[int]:
    """Return the sharpest frame of each run within `distance`; neighbouring results are at least that far apart."""
    kept: list[int] = []
    for i in np.flatnonzero(usable):
        if not kept or places[i] - places[kept[-1]] >= distance:
            kept.append(int(i))
        elif rank[i] > rank[kept[-1]] and (len(kept) < 2 or places[i] - places[kept[-2]] >= distance):
            kept[-1] = int(i)
    return kept


def _spread(rank: Numbers, usable: NDArray[np.bool_], places: Numbers, count: int) -> list[int]:
    """Return the sharpest of each of equal stretches, as many as give `count` frames, or fewer if there are no more."""
    best: list[int] = []
    most = min(_TRIES * count, max(1, int(places[-1] / _DUPLICATE)))
    for stretches in range(min(count, most), most + 1):
        found = _one_each(rank, usable, places, stretches)
        if len(best) < len(found) <= count:
            best = found
        if len(found) >= count:
            break
    return best


def _one_each(rank: Numbers, usable: NDArray[np.bool_], places: Numbers, stretches: int) -> list[int]:
    length = max(places[-1], 1e-9) / stretches
    number = np.minimum((places / length).astype(int), stretches - 1)
    within = places / length - number
    kept = []
    for stretch in np.unique(number[usable]):
        here = np.flatnonzero(usable & (number == stretch))
        middle = here[np.abs(within[here] - 0.5) <= _MIDDLE / 2]
        choice = middle if len(middle) else here
        kept.append(int(choice[np.argmax(rank[choice])]))
    return kept
