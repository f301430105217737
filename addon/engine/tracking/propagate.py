"""Tracks the objects of a Job through the clip with SAM 2's memory, in bounded space, into the matte store.

Each object is tracked on its own, as SAM 2 does, but all share the image features of a frame. The order is a function
of the Job alone:

1. *Condition.* The first prompt that defines the subject stands alone, and so does every box and mask. Points on other
   frames correct the matte that tracking gives there: the object is tracked from the first prompt to them.
2. *Forward*, from the earliest prompted frame to the end of the range.
3. *Backward*, from there to its start ("backward" alone starts at the latest prompted frame).

A frame's matte does not depend on the range (see plan.py), so a track can be extended piece by piece.

In SAM 2, every frame attends to all prompted frames, later ones too. So a changed prompt changes every matte of its
object, if only slightly, and all of them are tracked again: a matte kept from before would differ from that of a full
run. Other objects keep theirs. Only frames that the Job holds keep the mattes of an earlier take (held.py); the result
is then pieced together.

Only what a later frame can still read is kept in memory and on disk, so memory does not grow, and a killed engine
resumes where it was, with the same result, bit for bit.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import queue
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ...contract.boundary import read_or
from ...contract.errors import Cancelled, JobError
from ...contract.job import Job
from ...contract.job_types import FIRST_MEMORY, MatteObject, Prompt
from ..footage.footage import Reader, read_ahead
from ..sam2.model import Loaded
from ..sam2.predictor import REACH, Output, Predictor, State
from ..sam2.prompting import Images, give
from ..sam2.transfer import on_host
from ..store.feature_cache import FeatureCache, Maps
from ..store.matte_store import STORE_VERSION, Store, Take, key_of
from . import memory
from .held import HeldMattes
from .memory_policy import MemoryPolicy, Notes, Tracker, frames_in
from .passes import Pass, last_milestone
from .plan import Plan, Planned, frames_of, has_second_opinion, merge, plan_of
from .writer import Writer

READ_AHEAD = 4  # frames
_WRITTEN = ("pred_masks", "object_score_logits", "iou", "maskmem_features", "obj_ptr")  # stored parts of an output

Takes = dict[str, tuple[Take, dict[str, Any]]]  # by object: its take, and the facts that determine its mattes
OnFrame = Callable[[int, int, int], None]  # done, total, clip frame


@dataclass(slots=True)
class _Subject:
    """The state of an object while it is tracked. Indices count from 0."""

    id: int
    spec: MatteObject
    take: Take
    plan: Plan
    prompts: dict[int, Prompt] = field(default_factory=dict)
    passes: dict[bool, Pass] = field(default_factory=dict)  # by whether it goes backward
    near: dict[int, Output] = field(default_factory=dict)  # outputs of the frames that the backward pass begins with
    held: HeldMattes | None = None
    goes_on: bool = False  # whether it continues the conditioning frames of the held frames before its start

    @property
    def start(self) -> int:
        """Return the index where its first pass begins."""
        return self.plan.start

    @property
    def anchor(self) -> int:
        """Return the index of the first prompt that stands alone; after held frames, that of the prompt where it
        continues.
        """
        return self.start if self.goes_on else _anchor(self.spec).frame - 1

    @property
    def corrections(self) -> list[int]:
        """Return the frames whose points correct a matte that is tracked on the way to them."""
        found = [prompt.frame - 1 for prompt in corrections(self.spec)]
        return [index for index in found if index > self.start] if self.goes_on else found

    @property
    def begins_with(self) -> list[int]:
        """Return the frames of the forward pass that the backward pass begins with, in its order."""
        forward, backward = self.plan.passes
        if not (forward and backward):
            return []
        return [i for i in range(min(self.start + REACH, forward[-1]), self.start, -1) if i not in self.prompts]

    def last_tracked(self, reverse: bool, done: int) -> int | None:
        """Return the last frame without a prompt among the first `done` of a pass."""
        return next((i for i in reversed(self.plan.passes[reverse][:done]) if i not in self.prompts), None)


def _anchor(matte_object: MatteObject) -> Prompt:
    return next(prompt for prompt in matte_object.prompts if prompt.stands_alone)


def corrections(matte_object: MatteObject) -> list[Prompt]:
    """Return prompts that correct a tracked matte: points alone, on other frames than the first that stands alone."""
    anchor = _anchor(matte_object)
    return [
        prompt for prompt in matte_object.prompts if prompt != anchor and prompt.mask is None and prompt.box is None
    ]


def takes(job: Job, store: Store, fingerprint: str, model: dict[str, Any]) -> Takes:
    """Return by object the take of its mattes, present or future, and the facts that determine them.

    Args:
        job: the Job; only what changes a matte enters the facts.
        store: the clip's store.
        fingerprint: identifies the footage (Reader.fingerprint).
        model: what determines the model's arithmetic: its hash, device, precision, versions.
    """
    result = {}
    for matte_object in job.objects:
        facts: dict[str, Any] = {
            "store": STORE_VERSION,
            "footage": fingerprint,
            "model": model,
            # without the range, and forward is the first half of both, so that mattes are found again for a wider range
            "starts": "last prompt" if job.direction == "backward" else "first prompt",
            "prompts": [_facts(prompt) for prompt in matte_object.prompts],
        }
        if job.memory != FIRST_MEMORY:  # left out for this one, so that mattes of earlier releases are found
            facts["memory"] = job.memory
        if matte_object.held:
            facts["held"] = [dataclasses.asdict(held) for held in matte_object.held]
        if has_second_opinion(job, matte_object):
            facts["second_opinion"] = True
        result[matte_object.name] = (store.take(matte_object.name, facts), facts)
    return result


def missing(job: Job, where: Takes, planned: Planned = plan_of) -> int:
    """Return how many mattes are left to track."""
    return sum(
        not where[matte_object.name][0].has_matte(frame)
        for matte_object in job.objects
        for frame in frames_of(job, matte_object, planned)
    )


def propagate(
    job: Job,
    loaded: Loaded,
    reader: Reader,
    where: Takes,
    features: FeatureCache,
    on_frame: OnFrame,
    cancelled: Callable[[], bool],
    *,
    objects: Sequence[MatteObject],
    held: Mapping[str, HeldMattes],
    planned: Planned = plan_of,
    ahead: int = READ_AHEAD,
) -> None:
    """Track what the store lacks. The caller holds the takes (Store.open_for_writing).

    Args:
        job: what to track.
        loaded: the model.
        reader: the Job's footage.
        where: as returned by `takes`.
        features: cache of the footage's features by the model.
        on_frame: called for each finished frame, over all passes.
        cancelled: called before each frame; True ends the work.
        objects: objects of the Job to track; results do not depend on which others are tracked with them.
        held: as returned by `held_mattes`, checked.
        planned: the direction in which they are tracked.
        ahead: number of frames that are decoded ahead, which takes memory.

    Raises:
        Cancelled: finished frames stay in the store.
        FootageError: a frame can't be read.
        JobError: a mask prompt can't be read.
        OutputError: the store can't be written, or a file in it is damaged.
    """
    with loaded.computing():
        compressed = not loaded.source.is_gpu  # a GPU may compute a matte faster than it is compressed
        _Propagation(
            job,
            objects,
            planned,
            loaded.predictor,
            reader,
            where,
            features,
            on_frame,
            cancelled,
            held,
            ahead,
            compressed,
        ).run()


class _Propagation:
    def __init__(
        self,
        job: Job,
        objects: Sequence[MatteObject],
        planned: Planned,
        predictor: Predictor,
        reader: Reader,
        where: Takes,
        features: FeatureCache,
        on_frame: OnFrame,
        cancelled: Callable[[], bool],
        held: Mapping[str, HeldMattes],
        ahead: int,
        compressed: bool,
    ) -> None:
        self.job = job
        self.compressed = compressed
        self.ahead = ahead
        self.predictor = predictor
        self.reader = reader
        self.on_frame = on_frame
        self.cancelled = cancelled
        self.features = features
        self.facts = {name: facts for name, (_, facts) in where.items()}
        self.images = Images(reader, predictor)
        self.subjects = [
            _Subject(
                i,
                matte_object,
                where[matte_object.name][0],
                planned(job, matte_object),
                {prompt.frame - 1: prompt for prompt in matte_object.prompts},
                held=held.get(matte_object.name),
            )
            for i, matte_object in enumerate(objects)
        ]
        self.writer = Writer()
        kept = _WrittenLater(features, self.writer)
        self.state: State = predictor.start(self.images, job.footage.frame_count, len(self.subjects), kept)
        self.written: queue.SimpleQueue[int] = queue.SimpleQueue()  # frames whose files are complete
        self.done = 0
        self.total = 0

    def run(self) -> None:
        with self.writer:
            self._run()

    def _run(self) -> None:
        new = [s for s in self.subjects if not self._load_conditioning(s)]
        for s in new:
            self._go_on_after_held(s)
        left = {s.id: self._left(s) for s in self.subjects}
        for reverse in (False, True):
            self.total += len(merge(self._correction_path(s, reverse) for s in new))
            self.total += len(merge(sides[reverse] for sides in left.values()))

        for s in self.subjects:
            self._put_held(s)
        self._condition(new)
        for reverse in (False, True):
            self._pass(
                [s for s in self.subjects if left[s.id][reverse]],
                {i: sides[reverse] for i, sides in left.items()},
                reverse,
            )

    # -- conditioning ---------------------------------------------------------------------------------------------

    def _condition(self, new: Sequence[_Subject]) -> None:
        """Turn the prompts of `new` subjects into conditioning frames, and store those."""
        alone = [
            (index, s)
            for s in new
            for index in s.prompts
            if index not in s.corrections and index not in self.predictor.conditioning(self.state, s.id)
        ]
        for index, s in sorted(alone, key=lambda item: (item[0], item[1].id)):
            give(self.predictor, self.state, s.id, s.prompts[index], self.job.footage)
        for reverse in (False, True):
            paths = {s.id: self._correction_path(s, reverse) for s in new}
            passes = {s.id: self._fresh(s, reverse, paths[s.id], s.anchor) for s in new}
            if reverse:
                for s in new:
                    passes[s.id].begin({index: s.near[index] for index in sorted(s.near, reverse=True)})
            for index in self._frames(merge(paths.values()), reverse):
                with self.predictor.frame(self.state, index) as lanes:
                    for s in new:
                        if index in paths[s.id] and index not in self.predictor.conditioning(self.state, s.id):
                            with lanes(s.id):
                                self._track_to_correct(s, index, passes[s.id].policy, reverse)
                self._finished(index)
            self.writer.flush()
        for s in new:
            # the passes start from the prompts alone, without what was tracked on the way to the corrections
            self.predictor.tracked(self.state, s.id).clear()
            self.state["frames_tracked_per_obj"][s.id].clear()
            s.near.clear()
            prompted = self.predictor.conditioning(self.state, s.id)
            for index in sorted(prompted):
                prompted[index] = prompted.pop(index)  # attention sums in this order, on which the last bit depends
                memory.save_conditioning(s.take, index, prompted[index])

    def _track_to_correct(self, s: _Subject, index: int, policy: MemoryPolicy, reverse: bool) -> None:
        """Track a frame on the way to a correction, or correct it."""
        outputs = policy.track(index)
        if index in s.corrections:
            reads = policy.reads(index)
            self.predictor.correct(self.state, s.id, index, outputs[0], reverse=reverse, reads=reads)
            give(self.predictor, self.state, s.id, s.prompts[index], self.job.footage)
        else:
            policy.remember(index, outputs)
        self._keep_near(s, index, None if index in s.corrections else outputs[0])

    def _go_on_after_held(self, s: _Subject) -> None:
        """Take up the memory of the held frames before a subject's start, and correct from there.

        This needs a take by the same model, of the same footage, with the same prompts on the held frames. Otherwise
        all prompts are tracked to, as usual.
        """
        source = s.held.take_of(s.start) if s.held else None  # `start` is an index: this is the frame before it
        earlier = [index for index in s.prompts if index < s.start]
        if source is None or not earlier or self.job.direction == "backward":
            return
        here = self.facts[s.spec.name]
        if read_or("", lambda: _decides(source.facts(), s.start)) != _decides(here, s.start):
            return
        outputs = {index: memory.load_conditioning(source, index, self.state) for index in earlier}
        taken = {index: output for index, output in outputs.items() if output is not None}
        corrects = s.spec.prompts[len(earlier)] in corrections(s.spec)
        matte = source.matte(s.start + 1) if corrects else None
        if len(taken) < len(earlier) or (corrects and matte is None):
            return
        if matte is not None and not memory.put_tracked(
            self.predictor, self.state, s.id, s.start, matte, self.job.footage
        ):
            return
        self.predictor.conditioning(self.state, s.id).update(taken)
        give(self.predictor, self.state, s.id, s.prompts[s.start], self.job.footage)
        s.goes_on = True

    def _put_held(self, s: _Subject) -> None:
        """Write the mattes of held frames that no pass visits."""
        if s.held is None:
            return
        tracked = {index + 1 for part in s.plan.passes for index in part}
        for frame in frames_of(self.job, s.spec):
            if frame not in tracked and not s.take.has_matte(frame):
                matte = s.held.matte(frame, memory.shape_of(self.state, self.job.footage))
                assert matte is not None, "a plan has only frames that are tracked or held"
                s.take.put_matte(frame, matte, compressed=self.compressed)

    @staticmethod
    def _keep_near(s: _Subject, index: int, output: Output | None) -> None:
        """Keep the forward outputs that the backward pass reads: near the anchor, and near the farthest correction or
        first prompt.
        """
        if output is not None and 0 < index - s.anchor <= REACH:
            s.near[index] = memory.as_loaded(output)
        s.near = {i: kept for i, kept in s.near.items() if index - i <= REACH or i - s.start <= REACH}

    def _correction_path(self, s: _Subject, reverse: bool) -> range:
        """Return the frames to track from the anchor to the farthest correction on one side."""
        side = [i for i in s.corrections if (i < s.anchor if reverse else i > s.anchor)]
        if not side:
            return range(0)
        return range(s.anchor, min(side) - 1, -1) if reverse else range(s.anchor, max(side) + 1)

    def _load_conditioning(self, s: _Subject) -> bool:
        """Load the conditioning frames of an earlier run. Return False, and load nothing, unless all are there."""
        outputs = {index: memory.load_conditioning(s.take, index, self.state) for index in s.prompts}
        whole = {index: output for index, output in outputs.items() if output is not None}
        if len(whole) < len(outputs):
            s.take.clear()
            return False
        self.predictor.conditioning(self.state, s.id).update(whole)
        return True

    # -- passes ---------------------------------------------------------------------------------------------------

    def _fresh(self, s: _Subject, reverse: bool, frames: range, start: int) -> Pass:
        return Pass(self.job.memory, Tracker(self.predictor, self.state, s.id, reverse), frames, start)

    def _left(self, s: _Subject) -> tuple[range, range]:
        """Return the rest of a subject's forward and backward pass, and load the memory to resume them."""
        forward = self._resume(s, reverse=False, known=self.job.footage.frame_count)
        # frames that the forward pass tracks in this run need not be on disk
        known = forward[0] if forward else self.job.footage.frame_count
        backward = self._resume(s, reverse=True, known=known)
        if forward is None or backward is None:
            for reverse, frames in enumerate(s.plan.passes):
                self._forget(s, frames)
                s.passes[bool(reverse)] = self._fresh(s, bool(reverse), frames, s.start)
            return s.plan.passes
        return forward, backward

    def _resume(self, s: _Subject, *, reverse: bool, known: int) -> range | None:
        """Return the rest of a pass: from its first frame without a matte, or from a milestone if the memory for that
        is lost.

        Loads what the first of them reads. None if the pass can't even begin.
        """
        frames = s.plan.passes[reverse]
        done = next((i for i, index in enumerate(frames) if not s.take.has_matte(index + 1)), len(frames))
        if done == len(frames):
            return frames[done:]
        while not self._go_on(s, reverse, done, known):
            if done == 0:
                return None
            done = last_milestone(done - 1)
        self._forget(s, frames[done:])
        return frames[done:]

    def _go_on(self, s: _Subject, reverse: bool, done: int, known: int) -> bool:
        """Prepare a pass to continue after `done` frames. Return False if what it needs is missing.

        known: frames from here on are tracked in this run, so a backward pass may begin without them on disk.
        """
        s.passes[reverse] = self._fresh(s, reverse, s.plan.passes[reverse], s.start)
        last = s.last_tracked(reverse, done)
        if last is None:
            near = {index: self._load(s, index) for index in s.begins_with if reverse and index < known}
            s.near = {index: kept[0][0] for index, kept in near.items() if kept is not None}
            return len(s.near) == len(near)
        needed = [self._needed(s, reverse, count) for count in (done - 1, done, last_milestone(done))]
        loaded = {index: self._load(s, index) for index in sorted(needed[1], reverse=reverse)}
        found = {index: kept for index, kept in loaded.items() if kept is not None}
        if last not in found or len(found) < len(loaded):
            return False
        outputs = {index: kept[0] for index, kept in found.items()}
        return s.passes[reverse].go_on(found[last][1], outputs, *needed)

    def _needed(self, s: _Subject, reverse: bool, done: int) -> set[int]:
        """Return the frames whose outputs a pass needs to continue after `done` frames, as far as that is known."""
        last = s.last_tracked(reverse, done)
        if last is None:
            return set(s.begins_with) if reverse else set()
        if not s.passes[reverse].policy.by_numbers:
            loaded = self._load(s, last)
            return (frames_in(loaded[1]) if loaded else None) or set()
        earlier = [*(s.begins_with if reverse else ()), *s.plan.passes[reverse][:done]]
        return {index for index in earlier if index not in s.prompts and abs(index - last) < REACH}

    def _load(self, s: _Subject, index: int) -> tuple[list[Output], Notes | None] | None:
        return memory.load(s.take, index, self.state)

    @staticmethod
    def _forget(s: _Subject, frames: range) -> None:
        """Mark frames as not tracked, so that an interruption does not leave a gap."""
        for index in frames:
            s.take.forget_matte(index + 1)

    def _pass(self, subjects: Sequence[_Subject], left: dict[int, range], reverse: bool) -> None:
        for s in subjects:
            if reverse and s.passes[reverse].is_fresh:
                s.passes[reverse].begin({index: s.near[index] for index in s.begins_with})
        for index in self._frames(merge(left[s.id] for s in subjects), reverse):
            with self.predictor.frame(self.state, index) as lanes:
                for s in subjects:
                    if index in left[s.id]:
                        with lanes(s.id):
                            self._track(s, index, reverse)
            self.writer.do(functools.partial(self.written.put, index))
            self._tell()
        self.writer.flush()
        self._tell()

    def _track(self, s: _Subject, index: int, reverse: bool) -> None:
        """Track a frame of an object, unless it is prompted, and hand it over to be written."""
        prompted = self.predictor.conditioning(self.state, s.id).get(index)
        outputs = [] if prompted else s.passes[reverse].policy.track(index)
        notes, old = s.passes[reverse].finish(index, outputs)
        if index in s.begins_with:
            s.near[index] = memory.as_loaded(outputs[0])
        copied = [
            on_host({name: output[name] for name in _WRITTEN if torch.is_tensor(output.get(name))})
            for output in ([prompted] if prompted else outputs)
        ]
        self.writer.do(functools.partial(self._write, s, index, outputs, prompted, copied, notes, old))

    def _write(
        self,
        s: _Subject,
        index: int,
        outputs: Sequence[Output],
        prompted: Output | None,
        copied: Sequence[Callable[[], dict[str, torch.Tensor]]],
        notes: Notes | None,
        old: Sequence[int],
    ) -> None:
        """Write a frame of an object, and delete memory files that are no longer read; runs in the writer's thread."""
        here = [output | copy() for output, copy in zip([prompted] if prompted else outputs, copied, strict=True)]
        if not prompted:
            # written before the matte: tracking could not be resumed from a matte without its memory
            memory.save(s.take, index, here, notes)
        matte = memory.matte_of(here[0], self.job.footage)
        held = (
            s.held.matte(index + 1, matte.logits.shape) if s.held else None
        )  # a held frame is tracked only for those after it
        s.take.put_matte(index + 1, held or matte, compressed=self.compressed)
        for unread in old:
            s.take.forget_state(unread + 1)

    def _tell(self) -> None:
        """Report the frames that have been written meanwhile."""
        while not self.written.empty():
            self._finished(self.written.get())

    def _finished(self, index: int) -> None:
        self.done += 1
        self.on_frame(self.done, self.total, index + 1)

    def _frames(self, order: Sequence[int], reverse: bool) -> Iterator[int]:
        """Yield frames in order, decoding ahead. Raises Cancelled between two frames."""
        order = sorted(order, reverse=reverse)
        encoded = {index for index in order if index + 1 in self.features}
        unread = (index + 1 for index in order if index not in encoded)
        with contextlib.closing(read_ahead(self.reader, unread, self.predictor.image_size, self.ahead)) as decoded:
            for index in order:
                if self.cancelled():
                    raise Cancelled("Stopped. What is tracked so far is kept.")
                if index not in encoded:
                    self.images.put(index, next(decoded)[1])
                yield index


class _WrittenLater:
    """The feature cache, whose files a writer writes."""

    def __init__(self, features: FeatureCache, writer: Writer) -> None:
        self._writer = writer
        self._features = features
        self.get = features.get

    def put(self, frame: int, maps: Maps) -> None:
        copied = on_host({str(level): level_map for level, level_map in enumerate(maps)})
        self._writer.do(lambda: self._features.put(frame, list(copied().values())))


def _decides(facts: dict[str, Any], last: int) -> str:
    """Return the hash of what determines the conditioning frames of a take up to clip frame `last`."""
    prompts = [prompt for prompt in facts.get("prompts", ()) if prompt["frame"] <= last]
    return key_of({"prompts": prompts, **{name: facts.get(name) for name in ("store", "footage", "model")}})


def _facts(prompt: Prompt) -> Any:
    """Return a prompt as plain data; a mask file is represented by its content."""
    facts = dataclasses.asdict(prompt)
    if prompt.mask is not None and prompt.mask.file:
        try:
            facts["mask"]["file"] = hashlib.sha256(Path(prompt.mask.file).read_bytes()).hexdigest()
        except OSError as error:
            raise JobError(f"The mask can't be read: {error.strerror}.", where=prompt.mask.file) from None
    return facts
