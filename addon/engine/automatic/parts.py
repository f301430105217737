"""Tracked parts: every part, and every part of a part, gets an id that it keeps. Masks overlap.

A reimplementation of sam2-full-video-tracking:

1. *Forward.* Automatic masks are made on key frames, and the largest are used. A track whose mask on a key frame
   matches one of them (best IoU above `iou_threshold`) claims it; unclaimed masks start new tracks.
2. *Backward.* Every track is followed back from its first frame until it matches another track on a key frame. Then
   both are linked. Links always lead to the lower id, so that there can't be a circle.

A track that becomes too small is followed for `_PATIENCE` more key frames, because it may reappear, and then ends. At
most `max_masks` masks are tracked at a time and `max_tracks` in total, the largest first, which cuts the long tail of
tiny masks. Memories are kept across key frames.

    <folder>/masks/000001.json      automatic masks of key frame 1
    <folder>/forward/000001.json    tracked masks as COCO RLE; likewise backward/
    <folder>/state.pt               the state from which a stopped run continues
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...contract.automatic import Parts
from ...contract.disk import write_file, writing
from ...contract.errors import Cancelled
from ...contract.job import Job
from ...contract.layout import frame_name
from ...contract.rle import Rle
from ..footage.footage import Reader
from ..sam2.model import Loaded
from ..store import checked_file
from .grid import Mask, ious, mask_size, resized, to_mask
from .masks import Settings, stopping
from .part_masks import PartMasks, read_masks, write_masks
from .proposals import propose
from .tracks import BATCH, Group, Tracker

_PATIENCE = 3  # key frames on which a track may be too small before it ends
_SAVE_EVERY = 60.0  # seconds: the most that a killed run has to repeat
_COMPARED = 128  # pixels: side of the square at which masks are compared

Pass = Literal["forward", "backward"]


@dataclass(slots=True)
class _State:
    """The state of a run, except for the files of frames.

    births: the key frame on which a track started, by id.
    small: the number of consecutive key frames on which it was too small, by id.
    links: the lower id of the same part, by id.
    """

    stage: Pass | Literal["done"] = "forward"
    next: int = 0  # number of finished frames of the pass
    births: dict[int, int] = field(default_factory=dict)
    small: dict[int, int] = field(default_factory=dict)
    links: dict[int, int] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)


class PartSearch:
    """One search in a clip. seconds: time that this run has spent on automatic masks and on tracking."""

    def __init__(self, job: Job, search: Parts, reader: Reader, folder: Path) -> None:
        self._job = job
        self._search = search
        self._reader = reader
        self._folder = folder
        self._frames = range(job.frames[0] - 1, job.frames[-1])
        self._keys = {*self._frames[:: search.step], self._frames[-1]}
        self._size = mask_size(job.footage.width, job.footage.height)
        self._smallest = search.disappear_threshold  # share of the picture
        self._saved = time.monotonic()
        self.seconds = {"automatic masks": 0.0, "tracking": 0.0}

    def run(
        self,
        loaded: Loaded,
        on_frame: Callable[[int, int, int], None],
        cancelled: Callable[[], bool],
    ) -> PartMasks:
        """Run both passes. Arguments and errors are those of Labelling.run."""
        self._loaded = loaded
        self._ask = stopping(cancelled, "Stopped. What is tracked so far is kept.")
        self._state = self._load()
        total = 2 * len(self._frames)
        with loaded.computing():
            self._tracker = Tracker(loaded.predictor, self._reader, self._job.footage.frame_count)
            while self._state.stage != "done":
                stage = self._state.stage
                order = self._frames if stage == "forward" else self._frames[::-1]
                before = 0 if stage == "forward" else len(self._frames)
                for index in self._tracker.visit(order[self._state.next :]):
                    try:
                        self._ask()
                        (self._forward if stage == "forward" else self._backward)(index)
                    except Cancelled:
                        self._save()
                        raise
                    self._state.next += 1
                    if time.monotonic() - self._saved > _SAVE_EVERY:
                        self._save()
                    on_frame(before + self._state.next, total, index + 1)
                self._state.stage = "backward" if stage == "forward" else "done"
                self._state.next, self._state.groups, self._state.small = 0, [], {}
                self._save()
        return PartMasks.resolved(self._folder, self._job.frames, self._state.links, {key + 1 for key in self._keys})

    # -- one frame ------------------------------------------------------------------------------------------------

    def _forward(self, index: int) -> None:
        masks = self._automatic(index) if index in self._keys else []  # first, because it can be cancelled
        found = self._tracked(index, reverse=False)
        if index in self._keys:
            self._end_small(found)
            taken = self._link_to_masks(found, masks)
            room = self._search.max_masks - sum(len(group.ids) for group in self._state.groups)
            room = min(room, self._search.max_tracks - len(self._state.births))
            new = [mask for i, mask in enumerate(masks) if i not in taken][: max(0, room)]
            first = len(self._state.births) + 1
            for id_, mask in enumerate(new, first):
                self._state.births[id_] = index
                found[id_] = mask
            self._start(index, {id_: found[id_] for id_ in range(first, first + len(new))})
        self._write("forward", index, found)

    def _backward(self, index: int) -> None:
        found = self._tracked(index, reverse=True)
        if index in self._keys:
            self._end_small(found)
            there = {id_: mask for id_, mask, _ in read_masks(self._file("forward", index), self._size)}
            self._link_to_tracks(found, there)
            if index != self._frames[0]:
                born = {id_: mask for id_, mask in there.items() if self._state.births[id_] == index}
                self._start(index, born)
        self._write("backward", index, found)

    def _tracked(self, index: int, *, reverse: bool) -> dict[int, Mask]:
        """Track all groups on a frame. Returns the masks that are large enough, by id."""
        began = time.perf_counter()
        found = {}
        for group in self._state.groups:
            logits = self._tracker.track(group, index, reverse=reverse)
            for id_, mask_logits in zip(group.ids, logits, strict=True):
                mask = to_mask(mask_logits, self._size)
                if np.count_nonzero(mask) >= max(1.0, self._smallest * mask.size):
                    found[id_] = mask
        self.seconds["tracking"] += time.perf_counter() - began
        return found

    def _automatic(self, index: int) -> list[Mask]:
        """The automatic masks of a key frame, the largest first. They are made once."""
        file = self._file("masks", index)
        if not file.exists():
            began = time.perf_counter()
            settings = Settings(
                points_per_side=self._search.points_per_side,
                pred_iou_thresh=self._search.pred_iou_thresh,
                stability_score_thresh=self._search.stability_score_thresh,
            )
            made = propose(self._loaded.predictor, self._reader, index + 1, settings, cancelled=self._ask)
            made.sort(key=lambda mask: -mask.area)
            large = [mask for mask in made if mask.area >= max(1.0, self._smallest * mask.height * mask.width)]
            write_masks(file, dict(enumerate(large[: self._search.max_masks], 1)), frame=index + 1)
            self.seconds["automatic masks"] += time.perf_counter() - began
        return [mask for _, mask, _ in read_masks(file, self._size)]

    def _end_small(self, found: dict[int, Mask]) -> None:
        """End tracks that were too small for too long."""
        for group in self._state.groups:
            for id_ in group.ids:
                self._state.small[id_] = 0 if id_ in found else self._state.small.get(id_, 0) + 1
        self._keep(lambda id_: self._state.small.get(id_, 0) <= _PATIENCE)

    def _link_to_masks(self, found: dict[int, Mask], masks: Sequence[Mask]) -> set[int]:
        """Match tracks to automatic masks. If two tracks match the same mask, the one with the higher id ends."""
        taken: dict[int, int] = {}
        for id_, best in self._fits(found, masks):
            if best in taken:
                self._link(id_, taken[best])
                found.pop(id_)
            else:
                taken[best] = id_
        self._keep(lambda id_: id_ not in self._state.links)
        return set(taken)

    def _link_to_tracks(self, found: dict[int, Mask], there: dict[int, Mask]) -> None:
        """Match tracks of the backward pass to those of the forward pass. Matched ones end here."""
        ids = list(there)
        for id_, best in self._fits(found, list(there.values())):
            self._link(id_, ids[best])
            found.pop(id_)
        linked = set(self._state.links)
        self._keep(lambda id_: id_ not in linked or id_ in found)

    def _fits(self, found: dict[int, Mask], masks: Sequence[Mask]) -> list[tuple[int, int]]:
        """Pairs of an id and the index of its matching mask, lower ids first."""
        if not found or not masks:
            return []
        ids = sorted(found)
        table = ious(_small([found[id_] for id_ in ids]), _small(masks))
        best = table.argmax(axis=1)
        good = table[np.arange(len(ids)), best] > self._search.iou_threshold
        return [(id_, int(mask)) for id_, mask, fits in zip(ids, best, good, strict=True) if fits]

    def _link(self, a: int, b: int) -> None:
        """Link two ids: the higher root leads to the lower."""
        a, b = root(self._state.links, a), root(self._state.links, b)
        if a != b:
            self._state.links[max(a, b)] = min(a, b)

    def _start(self, index: int, masks: dict[int, Mask]) -> None:
        began = time.perf_counter()
        ids = sorted(masks)
        for i in range(0, len(ids), BATCH):
            group = Group(ids[i : i + BATCH])
            self._tracker.condition(group, index, np.stack([masks[id_] for id_ in group.ids]))
            self._state.groups.append(group)
        self.seconds["tracking"] += time.perf_counter() - began

    def _keep(self, wanted: Callable[[int], bool]) -> None:
        for group in self._state.groups:
            group.keep([id_ for id_ in group.ids if wanted(id_)])
        self._state.groups = [group for group in self._state.groups if group.ids]

    # -- what is kept ---------------------------------------------------------------------------------------------

    def _file(self, kind: str, index: int) -> Path:
        return self._folder / kind / frame_name(index + 1, ".json")

    def _write(self, kind: Pass, index: int, found: dict[int, Mask]) -> None:
        write_masks(self._file(kind, index), {id_: Rle.of(found[id_]) for id_ in sorted(found)}, frame=index + 1)

    def _save(self) -> None:
        state = self._state
        tables = [list(table.items()) for table in (state.births, state.small, state.links)]
        data = {
            "plain": json.dumps([state.stage, state.next, *tables]),
            "groups": [(group.ids, group.outputs) for group in state.groups],
        }
        with writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_file(self._folder / "state.pt", lambda file: checked_file.write(file, data), sync=False)
        self._saved = time.monotonic()

    def _load(self) -> _State:
        data: Any = checked_file.read(self._folder / "state.pt", self._loaded.source.device)
        if data is None:
            return _State()
        try:
            stage, done, births, small, links = json.loads(data["plain"])
            groups = [Group(ids, outputs) for ids, outputs in data["groups"]]
            return _State(stage, done, dict(births), dict(small), dict(links), groups)
        except (ValueError, KeyError, TypeError):  # written by another version
            return _State()


def root(links: dict[int, int], id_: int) -> int:
    """Follow the links of an id to their end. Links always lead to a lower id."""
    while id_ in links:
        id_ = links[id_]
    return id_


def _small(masks: Sequence[Mask]) -> NDArray[np.bool_]:
    """Resize masks to (n, _COMPARED, _COMPARED)."""
    return np.stack([resized(mask, (_COMPARED, _COMPARED)) for mask in masks])
