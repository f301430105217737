"""A memory tree: several histories of the subject side by side, of which the likeliest gives the matte.

SAM2Long: Ding et al., Enhancing SAM 2 for Long Video Segmentation with a Training-Free Memory Tree (arXiv 2410.16268);
written from the paper. Up to three pathways are tracked, each with its own memories: frames of its history with a
predicted IoU above 0.1 and an object score above 0. On each frame, each pathway proposes all masks that SAM 2 decodes.
A proposal's score is the pathway's score plus the logarithm of its predicted IoU; the best proposals survive. If no
object score is beyond ±2, SAM 2 is unsure what it sees, and the surviving masks must differ.

Differences from the paper, and choices that it leaves open:

- A frame's matte is that of the pathway that leads on that frame. The paper chooses a pathway after the last frame, but
  here a frame is finished when it is tracked, and its matte does not depend on the length of the range.
- The same mask is never kept twice (IoU above 0.95, or empty and of the same pathway), and if SAM 2 is sure, a pathway
  proposes only its best mask. A pathway costs a memory attention, on a CPU as much as an image encoder.
- A frame may cost at most 1.6 times as much as usual, and each pathway beyond the first costs 0.64. So there are 1.9
  pathways per frame on average: where one suffices, others are saved for frames where it does not.
- Memories are not weighted by their object scores.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..sam2.predictor import REACH, Output, Reads
from .memory_policy import MemoryPolicy, Notes, Tracker

_PATHWAYS = 3
_ONE, _MEAN = 10, 19  # a pathway, and what a frame may track on average, in tenths of a pathway
_LEAST_IOU = 0.1
_SURE = 2.0  # object score
_SAME = 0.95
_WORST = 1e-6  # least predicted IoU, as its logarithm is taken

_Node = tuple[int, int]  # frame index, and number of its output


@dataclass(frozen=True, slots=True)
class _Pathway:
    """One history. score: distance from the leading pathway's score. memories: oldest first."""

    score: float = 0.0
    memories: tuple[_Node, ...] = ()


@dataclass(frozen=True, slots=True)
class _Proposal:
    """A mask that a pathway proposes for a frame."""

    pathway: _Pathway
    score: float
    output: Output
    mask: Any = field(compare=False)  # bool tensor


class Tree(MemoryPolicy):
    """Up to three pathways, the leading one first."""

    def __init__(self, tracker: Tracker) -> None:
        super().__init__(tracker)
        self._outputs: dict[_Node, Output] = {}
        self._pathways = [_Pathway()]
        self._spare = _ONE  # tenths of pathways that may be tracked beside the leading one
        self._chosen: list[_Proposal] = []

    def reads(self, index: int) -> Reads:
        """Return what the leading pathway reads."""
        return self._reads(index, self._pathways[0])

    def _reads(self, index: int, pathway: _Pathway) -> Reads:
        return self.tracker.reads(index, [self._outputs[node] for node in reversed(pathway.memories)])

    def track(self, index: int) -> list[Output]:
        """See MemoryPolicy; the outputs are those of the surviving pathways, the leading one first."""
        tracker = self.tracker
        proposals = []
        self._pathways = self._pathways[: 1 + self._spare // _ONE]
        for pathway in self._pathways:
            outputs = tracker.predictor.candidates(
                tracker.state, tracker.object, index, reverse=tracker.reverse, reads=self._reads(index, pathway)
            )
            for output in outputs[:1] if _is_sure(outputs[0]) else outputs:
                score = pathway.score + math.log(max(float(output["iou"]), _WORST))
                proposals.append(_Proposal(pathway, score, output, output["pred_masks"] > 0))
        self._spare += _MEAN - _ONE * len(self._pathways)
        self._chosen = []
        for proposal in sorted(proposals, key=lambda rated: -rated.score):
            if len(self._chosen) < _PATHWAYS and not any(_is_same(proposal, better) for better in self._chosen):
                tracker.predictor.encode(tracker.state, index, proposal.output)
                self._chosen.append(proposal)
        return [proposal.output for proposal in self._chosen]

    def remember(self, index: int, outputs: Sequence[Output]) -> None:
        """See MemoryPolicy."""
        if self._chosen:
            best = self._chosen[0].score
            self._pathways = [
                _Pathway(proposal.score - best, _with(proposal.pathway.memories, (index, slot), proposal.output))
                for slot, proposal in enumerate(self._chosen)
            ]
        else:
            self._pathways = [_Pathway(0.0, _with(self._pathways[0].memories, (index, 0), outputs[0]))]
        self._chosen = []
        self._outputs |= {(index, slot): output for slot, output in enumerate(outputs)}
        self._outputs = {node: self._outputs[node] for node in self._nodes}

    @property
    def _nodes(self) -> set[_Node]:
        return {node for pathway in self._pathways for node in pathway.memories}

    @property
    def frames(self) -> set[int]:
        """See MemoryPolicy."""
        return {index for index, _ in self._nodes}

    def notes(self) -> Notes | None:
        """See MemoryPolicy."""
        pathways = [
            {"score": pathway.score, "memories": [list(node) for node in pathway.memories]}
            for pathway in self._pathways
        ]
        return {"spare": self._spare, "pathways": pathways}

    def restore(self, notes: Notes | None, outputs: Mapping[int, Sequence[Output]]) -> None:
        """See MemoryPolicy."""
        if notes is None or not 1 <= len(notes["pathways"]) <= _PATHWAYS:
            raise ValueError("it has no pathways")
        self._spare = int(notes["spare"])
        self._pathways = [
            _Pathway(
                float(pathway["score"]), tuple((int(index), int(slot)) for index, slot in pathway["memories"][:REACH])
            )
            for pathway in notes["pathways"]
        ]
        self._outputs = {(index, slot): outputs[index][slot] for index, slot in self._nodes}


def _is_sure(output: Output) -> bool:
    return abs(float(output["object_score_logits"])) > _SURE


def _is_same(proposal: _Proposal, better: _Proposal) -> bool:
    either = int((proposal.mask | better.mask).sum())
    if either == 0:
        return proposal.pathway is better.pathway
    return int((proposal.mask & better.mask).sum()) >= _SAME * either


def _with(memories: tuple[_Node, ...], node: _Node, output: Output) -> tuple[_Node, ...]:
    """Return a pathway's last memories with another one, if that qualifies."""
    counts = float(output["iou"]) > _LEAST_IOU and float(output["object_score_logits"]) > 0
    return (*memories, node)[-REACH:] if counts else memories
