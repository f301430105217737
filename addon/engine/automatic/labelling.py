"""Labels that are found on the way and followed through all frames: forward, backward, and once more from both sides.

After T-3DGS's video segmentor (Pryadilshchikov et al., arXiv 2412.00155), built anew. On each frame every label is
predicted from its masks on the nearest frames that have one, labels that became the same are merged, and what is not
covered yet may become a new label:

1. *Forward*: from the masks on at most `memory_size` frames before; new labels are looked for.
2. *Backward*: from those after, added to what is there.
3. *Final*: from the nearest on both sides, added to what is there.

A mask's memory is made once, when its frame is at hand, and kept on disk for the passes that read it, so that a frame
costs each label one prediction and one memory a pass. All that a pass has found is on disk when a frame is finished:
a killed engine goes on with that frame, and finds the same.

    <folder>/progress.json          pass, next frame, labels, which were merged
    <folder>/label-0001/matte ...   engine/store/matte_store.py's Take
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from ...contract.boundary import read_or
from ...contract.disk import discard, write_data, writing
from ...contract.errors import Cancelled
from ..footage.footage import Reader, read_ahead
from ..store.matte_store import Matte, Take
from ..tracking import memory
from .grid import Mask, iou, to_logits, to_mask
from .tracks import Group, Tracker

KEPT = "Stopped. What is found so far is kept."
_READ_AHEAD = 4  # frames
_PASSES = 3

# Where a label was last: its mask, and how many frames away that is.
Last = tuple[Mask, int]
# Given a frame's index, what is labelled on it, and a way to ask where all labels were last: what is to be labelled
# too, and by which label (None: a new one).
Propose = Callable[[int, dict[int, Mask], Callable[[], dict[int, Last]]], Iterable[tuple[Mask, int | None]]]
# Given a frame's index, a predicted mask and that label's last mask: whether to take it.
Accept = Callable[[int, Mask, Last], bool]


@dataclass(slots=True)
class _Progress:
    """stage: of the passes, the one to go on with; next: how many of its frames are finished; labels: so far."""

    stage: int = 0
    next: int = 0
    labels: int = 0
    merged: dict[int, int] = field(default_factory=dict)


class Labelling:
    """Finds and follows labels on `frames`, indices from 0 in clip order. Called inside `Loaded.computing()`."""

    def __init__(
        self,
        tracker: Tracker,
        reader: Reader,
        frames: range,
        folder: Path,
        *,
        size: tuple[int, int],
        memory_size: int,
        lambda_merge: float,
        propose: Propose,
        accept: Accept,
    ) -> None:
        self._tracker = tracker
        self._reader = reader
        self._frames = frames
        self._folder = folder
        self._size = size
        self._memory_size = memory_size
        self._lambda_merge = lambda_merge
        self._propose = propose
        self._accept = accept
        self._progress = _read_progress(folder / "progress.json")

    def run(self, on_frame: Callable[[int, int, int], None], cancelled: Callable[[], bool]) -> dict[int, Take]:
        """Until all is found; the labels, without those that were merged into others.

        Args:
            on_frame: told of each frame finished: how many over all passes, of how many, which clip frame.
            cancelled: asked before each frame.

        Raises:
            Cancelled: what is found stays on disk.
            FootageError, OutputError: as they say.
        """
        total = _PASSES * len(self._frames)
        while self._progress.stage < _PASSES:
            stage = self._progress.stage
            order = self._frames[::-1] if stage == 1 else self._frames
            groups = self._groups(order)
            for index in self._visit(order[self._progress.next :]):
                if cancelled():
                    raise Cancelled(KEPT)
                if stage == 2:
                    self._refine(index)
                else:
                    self._follow(index, groups, reverse=stage == 1)
                self._progress.next += 1
                self._keep_progress()
                on_frame(stage * len(self._frames) + self._progress.next, total, index + 1)
            self._progress.stage, self._progress.next = stage + 1, 0
            self._keep_progress()
        return self._folded()

    # -- one frame ------------------------------------------------------------------------------------------------

    def _follow(self, index: int, groups: dict[int, Group], *, reverse: bool) -> None:
        """Predict every label from the frames before, add what is new, remember."""
        found = self._masks(index) if reverse else {}
        for label, group in groups.items():
            logits = self._tracker.track(group, index, reverse=reverse, remember=False)[0]
            self._add(found, label, index, to_mask(logits, self._size))
        self._merge(found, groups)
        if not reverse:
            for mask, known in self._propose(index, dict(found), lambda: self._last_masks(index)):
                if known is None:
                    self._progress.labels += 1
                label = known or self._progress.labels
                found[label] = found[label] | mask if label in found else mask
        for label, mask in found.items():
            group = groups.setdefault(label, Group([label]))
            self._tracker.condition(group, index, mask[None])
            memory.save_conditioning(self._take(label), index, group.conditioning[index])
            self._put(label, index, mask)
            for old in list(group.conditioning)[: -self._memory_size]:
                del group.conditioning[old]

    def _refine(self, index: int) -> None:
        """Predict every label from the nearest frames on both sides."""
        found = self._masks(index)
        for label in self._roots():
            near = self._nearest(label, index)
            group = Group([label])
            for other in near:
                output = memory.load_conditioning(self._take(label), other, self._tracker.state)
                if output is not None:
                    group.conditioning[other] = output
            if group.conditioning:
                later_only = min(group.conditioning) > index  # the model reads object pointers of one side
                logits = self._tracker.track(group, index, reverse=later_only, remember=False)[0]
                self._add(found, label, index, to_mask(logits, self._size))
        self._merge(found, {})
        for label, mask in found.items():
            self._put(label, index, mask)

    def _add(self, found: dict[int, Mask], label: int, index: int, mask: Mask) -> None:
        """Take a predicted mask in, if there is any and it is accepted."""
        if not mask.any() or not self._accept(index, mask, self._last_mask(label, index)):
            return
        found[label] = found[label] | mask if label in found else mask

    def _merge(self, found: dict[int, Mask], groups: dict[int, Group]) -> None:
        """Labels of a frame that are the same thing become the lowest of them, in all frames."""
        again = True
        while again:
            again = False
            labels = sorted(found)
            for i, low in enumerate(labels):
                for high in labels[i + 1 :]:
                    if iou(found[low], found[high]) > self._lambda_merge:
                        found[low] = found[low] | found.pop(high)
                        self._progress.merged[high] = low
                        groups.pop(high, None)
                        again = True
                        break
                if again:
                    break

    # -- what is kept ---------------------------------------------------------------------------------------------

    def _take(self, label: int) -> Take:
        return Take(self._folder / f"label-{label:04d}")

    def _roots(self) -> list[int]:
        return [label for label in range(1, self._progress.labels + 1) if label not in self._progress.merged]

    def _root(self, label: int) -> int:
        while label in self._progress.merged:
            label = self._progress.merged[label]
        return label

    def _masks(self, index: int) -> dict[int, Mask]:
        """What is labelled on a frame so far, by label; nothing outside the clip."""
        found: dict[int, Mask] = {}
        for label in range(1, self._progress.labels + 1):
            matte = self._take(label).matte(index + 1)
            if matte is not None and (matte.logits > 0).any():
                root = self._root(label)
                mask = to_mask(matte.logits, self._size)
                found[root] = found[root] | mask if root in found else mask
        return found

    def _put(self, label: int, index: int, mask: Mask) -> None:
        self._take(label).put_matte(index + 1, Matte(to_logits(mask), 1.0, 1.0))

    def _last_mask(self, label: int, index: int) -> Last:
        """The label's mask on the nearest other frame that has one."""
        near = self._nearest(label, index)[:1]
        matte = self._take(label).matte(near[0] + 1) if near else None
        if matte is None:
            return np.zeros(self._size, np.bool_), len(self._frames)
        return to_mask(matte.logits, self._size), abs(near[0] - index)

    def _last_masks(self, index: int) -> dict[int, Last]:
        """Of all labels that were seen at most memory_size frames away."""
        last = {label: self._last_mask(label, index) for label in self._roots()}
        return {label: seen for label, seen in last.items() if seen[1] <= self._memory_size}

    def _nearest(self, label: int, index: int) -> list[int]:
        """Indices of the nearest other frames whose memory is kept, at most memory_size, nearest first."""
        known = (frame - 1 for frame in self._take(label).conditioning_frames() if frame - 1 != index)
        return sorted(known, key=lambda other: (abs(other - index), other))[: self._memory_size]

    def _groups(self, order: range) -> dict[int, Group]:
        """The labels with the memories that the next frame of a pass reads: none at its start."""
        groups: dict[int, Group] = {}
        done = order[: self._progress.next]
        if self._progress.stage == 2 or not done:
            return groups
        for label in self._roots():
            take = self._take(label)
            known = [index for index in done if take.state_path(index + 1, conditioning=True).exists()]
            outputs = {
                index: output
                for index in known[-self._memory_size :]
                if (output := memory.load_conditioning(take, index, self._tracker.state)) is not None
            }
            if outputs:
                groups[label] = Group([label])
                groups[label].conditioning.update(outputs)
        return groups

    def _folded(self) -> dict[int, Take]:
        """Labels with the mattes of those that were merged into them."""
        for label, _ in sorted(self._progress.merged.items(), reverse=True):
            root = self._root(label)
            for index in self._frames:
                matte = self._take(label).matte(index + 1)
                if matte is not None:
                    there = self._take(root).matte(index + 1)
                    logits = matte.logits if there is None else np.maximum(there.logits, matte.logits)
                    self._take(root).put_matte(index + 1, Matte(logits, 1.0, 1.0))
        for label in range(1, self._progress.labels + 1):
            discard(self._take(label).folder / "conditioning")
        return {label: self._take(label) for label in self._roots()}

    def _keep_progress(self) -> None:
        text = json.dumps(asdict(self._progress)).encode()
        with writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_data(self._folder / "progress.json", text, sync=False)

    def _visit(self, order: Sequence[int]) -> Iterator[int]:
        frames = (index + 1 for index in order)
        for frame, pixels in read_ahead(self._reader, frames, self._tracker.predictor.image_size, _READ_AHEAD):
            self._tracker.show(frame - 1, pixels)
            yield frame - 1


def _read_progress(path: Path) -> _Progress:
    def read() -> _Progress:
        data = json.loads(path.read_text(encoding="utf-8"))
        data["merged"] = {int(high): low for high, low in data["merged"].items()}
        return _Progress(**data)

    return read_or(_Progress(), read)
