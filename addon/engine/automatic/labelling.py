"""Labels that are found during the search and tracked through all frames: forward, backward, then from both sides.

A reimplementation of T-3DGS's video segmentor (Pryadilshchikov et al., arXiv 2412.00155). On every frame, all labels
are predicted from their masks on the nearest frames that have one, labels that have become the same are merged, and
areas without a label may get a new one:

1. *Forward*: predictions from at most `memory_size` earlier frames; new labels are searched for.
2. *Backward*: predictions from later frames, added to the masks of the first pass.
3. *Final*: predictions from the nearest frames on both sides, added to the existing masks.

The memory of a mask is encoded once, when its frame is loaded, and kept on disk for later passes, so a label costs one
prediction and one memory per frame and pass. All results of a frame are on disk when it is finished: a killed engine
continues with the next frame and gets the same result.

    <folder>/progress.json          pass, next frame, number of labels, merged labels
    <folder>/label-0001/matte ...   engine/store/matte_store.py's Take
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from ...contract.boundary import read_or
from ...contract.disk import discard, write_data, writing
from ...contract.errors import Cancelled
from ..store.matte_store import Matte, Take
from ..tracking import memory
from .grid import Mask, iou, to_logits, to_mask
from .tracks import Group, Tracker

KEPT = "Stopped. What is found so far is kept."
_PASSES = 3

# The last mask of a label, and its distance in frames.
Last = tuple[Mask, int]
# Proposes further masks for a frame, given its index, the masks that are labelled on it, and a function that returns
# the last masks of all labels. Yields a mask and its label; None stands for a new label.
Propose = Callable[[int, dict[int, Mask], Callable[[], dict[int, Last]]], Iterable[tuple[Mask, int | None]]]
# Whether to accept a predicted mask, given the frame's index, the mask and the last mask of its label.
Accept = Callable[[int, Mask, Last], bool]


@dataclass(slots=True)
class _Progress:
    """stage: index of the current pass; next: number of its finished frames; labels: number of labels so far."""

    stage: int = 0
    next: int = 0
    labels: int = 0
    merged: dict[int, int] = field(default_factory=dict)


class Labelling:
    """Finds and tracks labels on `frames`, indices from 0 in clip order. Called inside `Loaded.computing()`."""

    def __init__(
        self,
        tracker: Tracker,
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
        self._frames = frames
        self._folder = folder
        self._size = size
        self._memory_size = memory_size
        self._lambda_merge = lambda_merge
        self._propose = propose
        self._accept = accept
        self._progress = _read_progress(folder / "progress.json")

    def run(self, on_frame: Callable[[int, int, int], None], cancelled: Callable[[], bool]) -> dict[int, Take]:
        """Run all passes. Returns the takes by label, without labels that were merged into others.

        Args:
            on_frame: called after every frame with the number of frames finished in all passes, the total, the clip
                frame.
            cancelled: polled before every frame.

        Raises:
            Cancelled: `cancelled` returned True. Finished frames stay on disk.
            FootageError: a frame can't be read.
            OutputError: the results can't be written or are damaged.
        """
        total = _PASSES * len(self._frames)
        while self._progress.stage < _PASSES:
            stage = self._progress.stage
            order = self._frames[::-1] if stage == 1 else self._frames
            groups = self._groups(order)
            for index in self._tracker.visit(order[self._progress.next :]):
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
        """Predict all labels from earlier frames of the pass, add new labels, and encode the memories."""
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
        """Predict all labels from the nearest frames on both sides."""
        found = self._masks(index)
        for label in self._roots():
            near = self._nearest(label, index)
            group = Group([label])
            for other in near:
                output = memory.load_conditioning(self._take(label), other, self._tracker.state)
                if output is not None:
                    group.conditioning[other] = output
            if group.conditioning:
                later_only = min(group.conditioning) > index  # the model reads object pointers from one direction only
                logits = self._tracker.track(group, index, reverse=later_only, remember=False)[0]
                self._add(found, label, index, to_mask(logits, self._size))
        self._merge(found, {})
        for label, mask in found.items():
            self._put(label, index, mask)

    def _add(self, found: dict[int, Mask], label: int, index: int, mask: Mask) -> None:
        """Add a predicted mask to `found` if it is not empty and is accepted."""
        if not mask.any() or not self._accept(index, mask, self._last_mask(label, index)):
            return
        found[label] = found[label] | mask if label in found else mask

    def _merge(self, found: dict[int, Mask], groups: dict[int, Group]) -> None:
        """Merge labels whose masks on a frame are nearly the same into the lowest of them, on all frames."""
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
        """The masks that are labelled on a frame so far, by label."""
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
        """The mask of a label on the nearest other frame that has one."""
        near = self._nearest(label, index)[:1]
        matte = self._take(label).matte(near[0] + 1) if near else None
        if matte is None:
            return np.zeros(self._size, np.bool_), len(self._frames)
        return to_mask(matte.logits, self._size), abs(near[0] - index)

    def _last_masks(self, index: int) -> dict[int, Last]:
        """The last masks of all labels that were seen at most `memory_size` frames away."""
        last = {label: self._last_mask(label, index) for label in self._roots()}
        return {label: seen for label, seen in last.items() if seen[1] <= self._memory_size}

    def _nearest(self, label: int, index: int) -> list[int]:
        """The indices of the nearest other frames with a stored memory, at most `memory_size`, nearest first."""
        known = (frame - 1 for frame in self._take(label).conditioning_frames() if frame - 1 != index)
        return sorted(known, key=lambda other: (abs(other - index), other))[: self._memory_size]

    def _groups(self, order: range) -> dict[int, Group]:
        """The labels with the memories that the next frame of the pass reads; none at the start of a pass."""
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
        """The takes of all remaining labels, after the mattes of merged labels were added to them."""
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


def _read_progress(path: Path) -> _Progress:
    def read() -> _Progress:
        data = json.loads(path.read_text(encoding="utf-8"))
        data["merged"] = {int(high): low for high, low in data["merged"].items()}
        return _Progress(**data)

    return read_or(_Progress(), read)
