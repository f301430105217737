"""The base of memory policies: what a frame reads of tracked frames before it. Each policy is a file
`memory_<rule>.py`.

A policy goes through one pass of one object, frame by frame: it tracks a frame from what it remembers, and then
remembers that frame, or not. Prompted (conditioning) frames are not part of it, since each frame reads all of these.

The memory of a policy is bounded, and what it needs to resume after a frame can be named (`frames`, `notes`). So a
killed engine resumes where it was, with the same result, bit for bit.

Upstream looks memories up by frame numbers, at fixed distances before the frame. A policy puts its memories under these
numbers, nearest first; so the position that upstream encodes is the rank, as in SAM 3's tracker.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ..sam2.predictor import Output, Predictor, Reads, State

Notes = dict[str, Any]  # numbers and lists of numbers

_MOST = 64  # most frames that a policy remembers at a time


@dataclass(frozen=True, slots=True)
class Tracker:
    """The object that a policy tracks, and the direction."""

    predictor: Predictor
    state: State
    object: int
    reverse: bool

    @property
    def conditioning(self) -> dict[int, Output]:
        """Return the outputs of prompted frames by frame index."""
        return self.predictor.conditioning(self.state, self.object)

    def reads(self, index: int, memories: Iterable[Output], anchors: Mapping[int, Output] | None = None) -> Reads:
        """Return what frame `index` reads: `memories`, nearest first, and `anchors`, read like prompted frames."""
        step = 1 if self.reverse else -1
        return {
            "cond_frame_outputs": {**self.conditioning, **(anchors or {})},
            "non_cond_frame_outputs": {index + step * rank: output for rank, output in enumerate(memories, 1)},
        }

    def track(self, index: int, reads: Reads) -> Output:
        """Track frame `index` as upstream does; return its output with its memory."""
        return self.predictor.track(self.state, self.object, index, reverse=self.reverse, reads=reads)

    def is_next(self, index: int, after: int) -> bool:
        """Whether frame `index` follows directly on frame `after`."""
        return index - after == (-1 if self.reverse else 1)


class MemoryPolicy(ABC):
    """The memory of one pass of one object.

    by_numbers: to resume after a frame, it needs the 15 frames up to it, by their numbers, and no notes.
    """

    by_numbers: ClassVar[bool] = False

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker

    @abstractmethod
    def reads(self, index: int) -> Reads:
        """Return what frame `index`, the next of the pass, reads."""

    def track(self, index: int) -> list[Output]:
        """Track frame `index`, the next of the pass. Return its output first; further ones are only remembered."""
        return [self.tracker.track(index, self.reads(index))]

    @abstractmethod
    def remember(self, index: int, outputs: Sequence[Output]) -> None:
        """Remember the outputs that `track` returned for frame `index`, or one output of a frame of another pass."""

    @property
    @abstractmethod
    def frames(self) -> set[int]:
        """Return the frames whose outputs are needed to resume from here."""

    @abstractmethod
    def notes(self) -> Notes | None:
        """Return what is needed beside these outputs; None if nothing is."""

    @abstractmethod
    def restore(self, notes: Notes | None, outputs: Mapping[int, Sequence[Output]]) -> None:
        """Resume from notes and the outputs of these frames, in the pass's order.

        Raises LookupError, TypeError or ValueError if they do not fit.
        """


def frames_in(notes: Any) -> set[int] | None:
    """Return the frames that notes, which come from a file, name; None if the notes are invalid."""
    frames = notes.get("frames") if isinstance(notes, dict) else None
    if not isinstance(frames, list) or len(frames) > _MOST or not all(type(frame) is int for frame in frames):
        return None
    return set(frames)


def appearance(output: Output) -> float:
    """Return how much a frame shows of the subject: (2·sigmoid(object score) - 1)⁺ x predicted IoU, 0 to 1.

    SAM 3 (arXiv 2511.16719) chooses the memories of its tracker by it. It is read from the device once, through
    `scores`, which waits for the copy, if the output has that.
    """
    if "appearance" not in output:
        scores = output["scores"]() if "scores" in output else output
        score = float(scores["object_score_logits"])
        # tanh(x/2) is 2·sigmoid(x) - 1
        output["appearance"] = math.tanh(max(score, 0.0) / 2) * float(scores["iou"])
    return float(output["appearance"])
