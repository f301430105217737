"""Distractor-aware memory: recent appearances of the subject, and frames that distinguish it from a lookalike.

DAM4SAM: Videnovic, Lukezic and Kristan, A Distractor-Aware Memory for Visual Object Tracking with SAM2 (arXiv
2411.17576); written from the paper. Two memories replace SAM 2's single one:

- *Recent appearances*: the frame before, and two that are kept every 5 frames; none on which the subject is hidden.
- *Anchors*: the prompted frames, and the last 2 frames on which SAM 2's other masks showed something else beside the
  subject while the chosen mask was sure (predicted IoU above 0.8) and steady (its area within 20 % of the median of the
  last 10), at least 5 frames apart. Something else is there if the box around the chosen mask and the largest part of
  another one is much larger than the chosen mask's own (ratio of their areas at most 0.7).

Choices that the paper leaves open: anchors are read like prompted frames, SAM 2's way to mark a memory as of no
particular time; recent appearances have the ranks 1 to 3. Only the object pointers of these frames are read. With many
prompted frames the 2 anchors are added to them, as upstream's memory of prompted frames has no limit either.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..sam2.predictor import Output, Reads
from .memory_policy import MemoryPolicy, Notes, Tracker

_EVERY = 5  # frames between two that are kept
_RECENT = 2  # number of kept ones, beside the frame before
_ANCHORS = 2
_SURE = 0.8
_STEADY = 0.2
_AREAS = 10  # frames whose median area is compared with
_SAME = 0.7

Mask = NDArray[np.bool_]


class Anchors(MemoryPolicy):
    """Recent appearances and anchors."""

    def __init__(self, tracker: Tracker) -> None:
        super().__init__(tracker)
        self._outputs: dict[int, Output] = {}
        self._recent: list[int] = []  # oldest first, without the frame before
        self._anchors: list[int] = []
        self._last: int | None = None  # the last frame that shows the subject
        self._areas: list[int] = []  # of the last masks, in pixels of the logits
        self._since = {"recent": _EVERY, "anchor": _EVERY}  # frames

    def reads(self, index: int) -> Reads:
        """See MemoryPolicy."""
        near = [] if self._last is None else [self._last]
        near += [at for at in reversed(self._recent) if at not in near]
        anchors = {at: self._outputs[at] for at in self._anchors}
        return self.tracker.reads(index, [self._outputs[at] for at in near], anchors)

    def track(self, index: int) -> list[Output]:
        """See MemoryPolicy."""
        output = super().track(index)[0]
        chosen = _mask(output)
        output["area"] = int(chosen.sum())
        output["is_anchor"] = self._is_anchor(output, chosen)
        return [output]

    def _is_anchor(self, output: Output, chosen: Mask) -> bool:
        area = output["area"]
        if not area or not self._areas or self._since["anchor"] + 1 < _EVERY or float(output["iou"]) <= _SURE:
            return False
        usual = statistics.median(self._areas)
        others = self.tracker.predictor.other_masks()
        return abs(area - usual) <= _STEADY * usual and any(differs(chosen, other) for other in others)

    def remember(self, index: int, outputs: Sequence[Output]) -> None:
        """See MemoryPolicy."""
        output = outputs[0]
        self._since = {kind: frames + 1 for kind, frames in self._since.items()}
        if float(output["object_score_logits"]) <= 0:
            return
        self._outputs[index] = output
        self._last = index
        if "area" in output:  # only outputs of this pass have it
            self._areas = [*self._areas, output["area"]][-_AREAS:]
        if self._since["recent"] >= _EVERY:
            self._recent = [*self._recent, index][-_RECENT:]
            self._since["recent"] = 0
        if output.get("is_anchor"):
            self._anchors = [*self._anchors, index][-_ANCHORS:]
            self._since["anchor"] = 0
        self._outputs = {at: self._outputs[at] for at in self.frames}

    @property
    def frames(self) -> set[int]:
        """See MemoryPolicy."""
        return {*self._recent, *self._anchors, *(() if self._last is None else (self._last,))}

    def notes(self) -> Notes | None:
        """See MemoryPolicy."""
        return {
            "recent": self._recent,
            "anchors": self._anchors,
            "last": self._last,
            "areas": self._areas,
            "since": self._since,
        }

    def restore(self, notes: Notes | None, outputs: Mapping[int, Sequence[Output]]) -> None:
        """See MemoryPolicy."""
        if notes is None:
            raise ValueError("it says nothing")
        self._recent = _numbers(notes["recent"], _RECENT)
        self._anchors = _numbers(notes["anchors"], _ANCHORS)
        self._areas = _numbers(notes["areas"], _AREAS)
        self._last = None if notes["last"] is None else int(notes["last"])
        self._since = {kind: int(notes["since"][kind]) for kind in self._since}
        self._outputs = {at: outputs[at][0] for at in self.frames}


def differs(chosen: Mask, other: Mask) -> bool:
    """Whether the largest part of another mask is so far from the chosen one that it may be a distractor."""
    count, labels, sizes, _ = cv2.connectedComponentsWithStats(other.astype(np.uint8))
    if count < 2:
        return False
    largest = 1 + int(sizes[1:, cv2.CC_STAT_AREA].argmax())
    return _box_area(chosen) <= _SAME * _box_area(chosen | (labels == largest))


def _box_area(mask: Mask) -> int:
    _, _, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return width * height


def _mask(output: Output) -> Mask:
    mask: Mask = (output["pred_masks"][0, 0] > 0).cpu().numpy()
    return mask


def _numbers(values: Any, most: int) -> list[int]:
    if not isinstance(values, list) or len(values) > most or not all(type(number) is int for number in values):
        raise ValueError("these are not frame numbers")
    return list(values)
