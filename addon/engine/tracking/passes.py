"""One pass of one object: its memory, and the files that are needed to resume it after an interruption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...contract.job_types import MemoryRule
from ..sam2.predictor import REACH, Output
from .memory_anchors import Anchors
from .memory_policy import MemoryPolicy, Notes, Tracker
from .memory_sam2 import Latest
from .memory_selected import Selected
from .memory_tree import Tree

POLICIES: dict[MemoryRule, type[MemoryPolicy]] = {
    "sam2": Latest,
    "selected": Selected,
    "tree": Tree,
    "anchors": Anchors,
}
_MILESTONE = 128  # frames between points from which a pass can always be resumed


class Pass:
    """A pass through `frames`; its object is tracked from frame `start` in both directions."""

    def __init__(self, rule: MemoryRule, tracker: Tracker, frames: range, start: int) -> None:
        self.policy = POLICIES[rule](tracker)
        self.is_fresh = True
        self._frames = frames
        self._start = start
        self._before: tuple[set[int], set[int]] = (set(), set())  # frames needed for the last frame, and after it
        self._milestone: set[int] = set()

    def go_on(self, notes: Notes | None, outputs: Mapping[int, Sequence[Output]], *needed: set[int]) -> bool:
        """Resume after an interruption. Return False if notes and outputs, which come from files, do not fit.

        Args:
            notes: notes of the last tracked frame.
            outputs: outputs of the needed frames, in the pass's order.
            needed: the frames needed for the last frame, those needed now, and those needed at the last milestone.
        """
        try:
            self.policy.restore(notes, outputs)
        except (LookupError, TypeError, ValueError):
            return False
        before, now, self._milestone = needed
        self._before = before, now
        self.is_fresh = False
        return True

    def begin(self, earlier: Mapping[int, Output]) -> None:
        """Start with outputs of frames that the other pass has tracked, in this pass's order."""
        for index, output in earlier.items():
            self.policy.remember(index, [output])
        self._before = set(), set(earlier)
        self.is_fresh = False

    def finish(self, index: int, outputs: Sequence[Output]) -> tuple[Notes | None, list[int]]:
        """Take in the outputs of frame `index`; none if it is prompted.

        Returns:
            The notes to store with the frame, and the frames whose files are no longer needed. Files needed for this
            frame stay one frame longer, so that it can be tracked again.
        """
        before, last = self._before
        now = last
        if outputs:
            self.policy.remember(index, outputs)
            now = self.policy.frames | {index}
        notes = self.policy.notes()
        if notes is not None:
            notes["frames"] = sorted(now)
        self._before = last, now
        if (abs(index - self._frames.start) + 1) % _MILESTONE == 0:
            self._milestone = now
        kept = last | now | self._milestone
        return notes, [old for old in before if old not in kept and abs(old - self._start) > REACH]


def last_milestone(done: int) -> int:
    """Return the number of frames before the last milestone, `done` frames from a pass's start."""
    return done // _MILESTONE * _MILESTONE
