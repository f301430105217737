"""One pass of one object: what it remembers, and which files that needs to go on after an interruption."""

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
_MILESTONE = 128  # frames: so often, what is needed to go on from there stays on disk


class Pass:
    """A pass through `frames`, whose object is tracked from frame `start` on both ways."""

    def __init__(self, rule: MemoryRule, tracker: Tracker, frames: range, start: int) -> None:
        self.policy = POLICIES[rule](tracker)
        self.is_fresh = True
        self._frames = frames
        self._start = start
        self._before: tuple[set[int], set[int]] = (set(), set())  # needed for the last frame, and after it
        self._milestone: set[int] = set()

    def go_on(self, notes: Notes | None, outputs: Mapping[int, Sequence[Output]], *needed: set[int]) -> bool:
        """Go on after an interruption. False if notes and outputs, which come from files, do not fit.

        Args:
            notes: of the last frame that was tracked.
            outputs: of the frames that are needed, in the pass's order.
            needed: the frames that were needed for the last frame, that are now, and that were at the last milestone.
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
        """Begin with outputs of frames that the other pass has tracked, in this pass's order."""
        for index, output in earlier.items():
            self.policy.remember(index, [output])
        self._before = set(), set(earlier)
        self.is_fresh = False

    def finish(self, index: int, outputs: Sequence[Output]) -> tuple[Notes | None, list[int]]:
        """Take in what was tracked on frame `index`; nothing if that is prompted.

        Returns:
            What is to be kept with the frame, and the frames whose files nobody reads any more. What was needed for
            this frame stays one frame longer, so that it alone can be tracked again.
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
    """After how many frames the last one was, `done` frames from a pass's start."""
    return done // _MILESTONE * _MILESTONE
