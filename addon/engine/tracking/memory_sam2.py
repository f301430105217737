"""SAM 2's own memory, to the last bit: the frames just before, whatever they show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..sam2.predictor import REACH, Output, Reads
from .memory_policy import MemoryPolicy, Notes, Tracker


class Latest(MemoryPolicy):
    """The last 15 frames by their numbers; prompted ones leave gaps."""

    by_numbers = True

    def __init__(self, tracker: Tracker) -> None:
        super().__init__(tracker)
        self._outputs: dict[int, Output] = {}

    def reads(self, index: int) -> Reads:
        """See MemoryPolicy."""
        return {"cond_frame_outputs": self.tracker.conditioning, "non_cond_frame_outputs": self._outputs}

    def remember(self, index: int, outputs: Sequence[Output]) -> None:
        """See MemoryPolicy."""
        self._outputs = {old: kept for old, kept in self._outputs.items() if abs(old - index) < REACH}
        self._outputs[index] = outputs[0]

    @property
    def frames(self) -> set[int]:
        """See MemoryPolicy."""
        return set(self._outputs)

    def notes(self) -> Notes | None:
        """See MemoryPolicy."""
        return None

    def restore(self, notes: Notes | None, outputs: Mapping[int, Sequence[Output]]) -> None:
        """See MemoryPolicy."""
        self._outputs = {index: kept[0] for index, kept in outputs.items()}
