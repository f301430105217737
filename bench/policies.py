"""What a frame costs by each memory policy, against SAM 2's own memory: python3 vendor_setup bench policies

Policies take turns, a frame each, on the same images and with a full memory, each with a state of its own, so each also
encodes its image. Seconds are the processor's. Where the checkpoint's file is not on this machine its weights are
random: how long a frame takes does not depend on them, only how often `tree` forks and how many anchors there are. So
object score and predicted IoU are set: to those of a subject that is seen well, with two anchors in memory, and once
more for `tree` to those of one that hardly is, where it forks as often as its savings allow.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sam2.utils.misc import load_video_frames

from addon.checkpoints import OFFICIAL
from addon.contract.job_types import MemoryRule, Model
from addon.engine.sam2 import model
from addon.engine.sam2.predictor import REACH
from addon.engine.tracking.memory_policy import Tracker
from addon.engine.tracking.passes import POLICIES

from ._common import demo_frames, links, model_files
from .inference import _ENDLESS, _Again

_IMAGES = 8
_SURE, _UNSURE = 8.0, 1.0  # object scores
_IOU = 3.0  # predicted, before the sigmoid: 0.95
_CASES: dict[str, tuple[MemoryRule, float]] = {
    "sam2": ("sam2", _SURE),
    "selected": ("selected", _SURE),
    "anchors": ("anchors", _SURE),
    "tree": ("tree", _SURE),
    "tree, unsure": ("tree", _UNSURE),
}


class Turn:
    """A policy that goes through endless footage with a full memory."""

    def __init__(self, predictor: Any, images: Any, rule: MemoryRule, score: float) -> None:
        self._head, self._score, self.seconds = predictor.sam_mask_decoder.pred_obj_score_head, score, list[float]()
        self._set_score()
        state = predictor.start(_Again(images), _ENDLESS, 1)
        predictor.prompt(state, 0, 0, points=[(0.5, 0.5)], labels=[1], box=None, mask=None)
        self._policy = POLICIES[rule](Tracker(predictor, state, 0, reverse=False))
        outputs = [{**output, "is_anchor": True} for output in self._policy.track(1)]
        self._policy.remember(1, outputs)
        for index in range(2, REACH + 1):  # one stands for all
            self._policy.remember(index, outputs[:1])
        self._next = REACH + 1

    def go(self) -> None:
        """One frame."""
        self._set_score()
        began = time.process_time()
        self._policy.remember(self._next, self._policy.track(self._next))
        self.seconds.append(time.process_time() - began)
        self._next += 1

    def _set_score(self) -> None:
        _set(self._head, self._score)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="bench policies", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--checkpoint", default="sam2.1_hiera_tiny", choices=["embedded", *OFFICIAL])
    parser.add_argument("--frames", type=int, default=4, help="the mean of so many; default: %(default)s")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        config, weights = model_files(options.checkpoint, room)
        loaded = model.load(model.find(Model(str(weights), str(config), device="cpu", trust=True)))
        predictor = loaded.predictor
        folder = links(demo_frames(), room / "frames", _IMAGES)
        images, _, _ = load_video_frames(str(folder), predictor.image_size, True, compute_device=predictor.device)
        _set(predictor.sam_mask_decoder.iou_prediction_head, _IOU)
        with loaded.computing():
            turns = {words: Turn(predictor, images, *case) for words, case in _CASES.items()}
            for _ in range(options.frames):
                for turn in turns.values():
                    turn.go()
    baseline = sum(turns["sam2"].seconds)
    for words, turn in turns.items():
        seconds = sum(turn.seconds)
        print(f"{words:14}{seconds / len(turn.seconds):8.3f} s a frame, {seconds / baseline:.3f} times sam2")
    return 0


def _set(head: Any, value: float) -> None:
    """Have a head of the decoder always say the same."""
    head.layers[-1].weight.data.zero_()
    head.layers[-1].bias.data.fill_(value)


if __name__ == "__main__":
    raise SystemExit(main())
