"""What a frame reads of those that were tracked before it. Each rule is a file of its own, `memory_<rule>.py`.

A policy goes through one pass of one object, frame by frame in the order of the pass: it tracks a frame from what it
remembers, and then remembers that frame, or not. Prompted (conditioning) frames are no part of it: each frame reads all
of these, whatever the policy.

The past that a policy remembers is bounded, and what it needs to go on after a frame can be named (`frames`, `notes`),
so that a killed engine goes on where it was, with the same result to the last bit.

Upstream looks memories up by frame numbers, at fixed distances before the frame. Other memories than those are given to
it under the numbers where it looks, nearest first; so the position that it encodes is the rank, as in SAM 3's tracker.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ..sam2.predictor import Output, Predictor, Reads, State

Notes = dict[str, Any]  # numbers and lists of numbers

_MOST = 64  # frames that any policy remembers at a time


@dataclass(frozen=True, slots=True)
class Tracker:
    """Whom a policy tracks, and which way."""

    predictor: Predictor
    state: State
    object: int
    reverse: bool

    @property
    def conditioning(self) -> dict[int, Output]:
        """Of the prompted frames, by frame index."""
        return self.predictor.conditioning(self.state, self.object)

    def reads(self, index: int, memories: Iterable[Output], anchors: Mapping[int, Output] | None = None) -> Reads:
        """All that frame `index` reads: `memories`, nearest first, and, as if they were prompted, `anchors`."""
        step = 1 if self.reverse else -1
        return {
            "cond_frame_outputs": {**self.conditioning, **(anchors or {})},
            "non_cond_frame_outputs": {index + step * rank: output for rank, output in enumerate(memories, 1)},
        }

    def track(self, index: int, reads: Reads) -> Output:
        """Frame `index` as upstream tracks it, with its memory."""
        return self.predictor.track(self.state, self.object, index, reverse=self.reverse, reads=reads)

    def is_next(self, index: int, after: int) -> bool:
        """Whether frame `index` follows directly on frame `after`."""
        return index - after == (-1 if self.reverse else 1)


class MemoryPolicy(ABC):
    """One pass of one object.

    by_numbers: what it needs to go on after a frame are the 15 frames up to it, by their numbers, and no notes.
    """

    by_numbers: ClassVar[bool] = False

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker

    @abstractmethod
    def reads(self, index: int) -> Reads:
        """What frame `index`, the next of the pass, reads."""

    def track(self, index: int) -> list[Output]:
        """Track frame `index`, the next of the pass. Returns its output; further ones after it are only remembered."""
        return [self.tracker.track(index, self.reads(index))]

    @abstractmethod
    def remember(self, index: int, outputs: Sequence[Output]) -> None:
        """Take in what `track` gave for frame `index`, or one output of a frame that another pass has tracked."""

    @property
    @abstractmethod
    def frames(self) -> set[int]:
        """The frames whose outputs it needs to go on from here."""

    @abstractmethod
    def notes(self) -> Notes | None:
        """What it needs beside these; None if that is nothing at all."""

    @abstractmethod
    def restore(self, notes: Notes | None, outputs: Mapping[int, Sequence[Output]]) -> None:
        """Go on from there, with the outputs of these frames in the pass's order.

        Raises LookupError, TypeError or ValueError: they do not fit.
        """


def frames_in(notes: Any) -> set[int] | None:
    """The frames that notes name; None if these are no notes. They come from a file."""
    frames = notes.get("frames") if isinstance(notes, dict) else None
    if not isinstance(frames, list) or len(frames) > _MOST or not all(type(frame) is int for frame in frames):
        return None
    return set(frames)


def appearance(output: Output) -> float:
    """How much a frame shows of the subject: (2·sigmoid(object score) - 1)⁺ x predicted IoU, 0..1.

    SAM 3 (arXiv 2511.16719) chooses the memories of its tracker by it. It is read from the device once: from `scores`,
    what waits for their copy, if the output has that.
    """
    if "appearance" not in output:
        scores = output["scores"]() if "scores" in output else output
        score = float(scores["object_score_logits"])
        # tanh(x/2) is 2·sigmoid(x) - 1
        output["appearance"] = math.tanh(max(score, 0.0) / 2) * float(scores["iou"])
    return float(output["appearance"])
