"""The memory of SAM 3's tracker: the latest frames that show the subject.

SAM 3: Segment Anything with Concepts (arXiv 2511.16719). A frame qualifies if (2·sigmoid(object score) - 1)⁺ x
predicted IoU is above 0.01. The last 15 of those are kept; the 6 nearest give their memory and all of them their
pointer, as many as SAM 2 reads. The frame before is always read, too. So a subject that was hidden for long is still
known when it reappears, while SAM 2 would only remember 15 frames of what hid it.

Whether a frame qualifies is read only after the next frame has been launched, so that a GPU computes that one meanwhile
instead of waiting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..sam2.predictor import REACH, Output, Reads
from ..sam2.transfer import on_host
from .memory_policy import MemoryPolicy, Notes, Tracker, appearance

_LEAST = 0.01  # least `appearance` of a frame that qualifies


class Selected(MemoryPolicy):
    """The last 15 frames that show the subject, and the frame before, whether it does or not."""

    def __init__(self, tracker: Tracker) -> None:
        super().__init__(tracker)
        self._outputs: dict[int, Output] = {}  # in the order of the pass

    def reads(self, index: int) -> Reads:
        """See MemoryPolicy."""
        chosen = [
            output
            for at, output in reversed(self._outputs.items())
            if self.tracker.is_next(index, after=at) or _counts(output)
        ]
        return self.tracker.reads(index, chosen)

    def track(self, index: int) -> list[Output]:
        """See MemoryPolicy."""
        (output,) = super().track(index)
        output["scores"] = on_host({name: output[name] for name in ("object_score_logits", "iou")})
        return [output]

    def remember(self, index: int, outputs: Sequence[Output]) -> None:
        """See MemoryPolicy."""
        counting = [at for at, output in self._outputs.items() if _counts(output)]
        self._outputs = {at: self._outputs[at] for at in counting[-REACH:]}
        self._outputs[index] = outputs[0]

    @property
    def frames(self) -> set[int]:
        """See MemoryPolicy."""
        return set(self._outputs)

    def notes(self) -> Notes | None:
        """See MemoryPolicy."""
        return {}

    def restore(self, notes: Notes | None, outputs: Mapping[int, Sequence[Output]]) -> None:
        """See MemoryPolicy."""
        self._outputs = {index: kept[0] for index, kept in outputs.items()}


def _counts(output: Output) -> bool:
    return appearance(output) > _LEAST
