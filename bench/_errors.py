"""Typical tracking errors, injected into true mattes: they test review without running a network.

Each function changes frames `first` .. `last` - 1 (counted from 0) of a list of masks (bool, H x W, one per frame) in
place. Severity and position are random, so some errors are obvious and some are not.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Masks = list[Mask]
Inject = Callable[[Masks, int, int, np.random.Generator], None]


def leak(masks: Masks, first: int, last: int, random: np.random.Generator) -> None:
    """Make the matte spread into something beside the subject that moves along."""
    angle, size = random.uniform(0, 2 * np.pi), random.uniform(0.4, 1.0)
    for i in range(first, last):
        ys, xs = np.nonzero(masks[i])
        if len(xs):
            radius = np.sqrt(len(xs) / np.pi)
            place = (int(xs.mean() + 1.2 * radius * np.cos(angle)), int(ys.mean() + 1.2 * radius * np.sin(angle)))
            spread = size * min(1.0, 0.5 + 0.25 * (i - first))
            blob = np.zeros(masks[i].shape, np.uint8)
            cv2.circle(blob, place, max(2, int(radius * spread)), 1, cv2.FILLED)
            masks[i] = masks[i] | (blob > 0)


def drop_out(masks: Masks, first: int, last: int, random: np.random.Generator) -> None:
    """Empty the mattes."""
    for i in range(first, last):
        masks[i] = np.zeros_like(masks[i])


def drift(masks: Masks, first: int, last: int, random: np.random.Generator) -> None:
    """Make the matte slide off the subject and grow or shrink, a little more on each frame."""
    angle, pace, swell = random.uniform(0, 2 * np.pi), random.uniform(0.04, 0.12), random.uniform(-0.05, 0.05)
    for i in range(first, last):
        ys, xs = np.nonzero(masks[i])
        if len(xs):
            steps = i - first + 1
            far = pace * np.sqrt(len(xs)) * steps
            move = cv2.getRotationMatrix2D((float(xs.mean()), float(ys.mean())), 0, 1 + swell * steps)
            move[:, 2] += far * np.cos(angle), far * np.sin(angle)
            masks[i] = cv2.warpAffine(masks[i].astype(np.uint8), move, masks[i].shape[::-1]) > 0


def flicker(masks: Masks, first: int, last: int, random: np.random.Generator) -> None:
    """Make every second matte too thin or too fat."""
    for i in range(first, last, 2):
        size = 1 + 2 * max(1, int(random.uniform(0.06, 0.14) * np.sqrt(masks[i].sum())))
        change = cv2.dilate if random.random() < 0.5 else cv2.erode
        masks[i] = change(masks[i].astype(np.uint8), np.ones((size, size), np.uint8)) > 0


def half_missing(masks: Masks, first: int, last: int, random: np.random.Generator) -> None:
    """Remove a part of the subject for the whole stretch."""
    angle, keep = random.uniform(0, 2 * np.pi), random.uniform(40, 75)
    for i in range(first, last):
        ys, xs = np.nonzero(masks[i])
        if len(xs):
            along = xs * np.cos(angle) + ys * np.sin(angle)
            lost = along > np.percentile(along, keep)
            masks[i] = masks[i].copy()
            masks[i][ys[lost], xs[lost]] = False


def swapped(masks: Masks, first: int, last: int, random: np.random.Generator) -> None:
    """Put the matte on another thing of the same kind."""
    height, width = masks[0].shape
    by = (int(random.uniform(0.15, 0.35) * height), int(random.uniform(0.25, 0.75) * width))
    for i in range(first, last):
        masks[i] = np.roll(np.flip(masks[i], 1), by, (0, 1))


# Each error with its shortest and longest duration in frames.
ERRORS: dict[str, tuple[Inject, tuple[int, int]]] = {
    "leak": (leak, (3, 15)),
    "drop-out": (drop_out, (1, 4)),
    "drift": (drift, (6, 15)),
    "flicker": (flicker, (1, 7)),
    "half missing": (half_missing, (2, 12)),
    "swapped": (swapped, (1, 8)),
}
