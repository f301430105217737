"""What tracking remembers: each policy by its own rule, bounded, and the same however a track came about."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Clip, toy
from test_resume import Interrupter, mattes

from addon.contract.errors import Cancelled
from addon.contract.job import Job
from addon.contract.job_types import MatteObject, MemoryRule, Model, Point, Prompt
from addon.engine.sam2.predictor import Output
from addon.engine.session import Session
from addon.engine.tracking import memory_selected, passes
from addon.engine.tracking.memory_anchors import Anchors, differs
from addon.engine.tracking.memory_policy import MemoryPolicy, Tracker, appearance
from addon.engine.tracking.memory_selected import Selected
from addon.engine.tracking.memory_tree import Tree

COUNT = 16
PROMPTED = {0: {"name": "prompted"}}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return toy(tmp_path_factory.mktemp("policies"))


@pytest.fixture
def job(clip: Clip, small: Model, tmp_path: Path) -> Job:
    """An object with a correction behind its start."""
    on, off = Point(*clip.subject), Point(*clip.elsewhere, include=False)
    prompts = (Prompt(3, (on,)), Prompt(5, (off,)))
    return Job(clip.take(COUNT), (MatteObject("subject", prompts),), small, output=str(tmp_path / "mattes"), target="")


@pytest.mark.parametrize("rule", ["selected", "tree", "anchors"])
def test_pieces_and_stops_change_nothing(
    rule: MemoryRule, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "_MILESTONE", 6)
    job = dataclasses.replace(job, memory=rule)
    session = Session(lambda *_: None, lambda: False)
    whole = mattes(dataclasses.replace(job, output=str(tmp_path / "whole")), session)
    session.track(dataclasses.replace(job, part=(4, 6)))
    session.track(dataclasses.replace(job, part=(2, 4)))
    for frames in (1, 2):
        with contextlib.suppress(Cancelled):
            interrupter = Interrupter(frames)
            stopped = Session(interrupter.progress, interrupter.cancelled)
            stopped._loaded = session._loaded
            stopped.track(job)
    assert mattes(job, session) == whole
    session.retrack(dataclasses.replace(job, part=(9, 9)))
    session.retrack(dataclasses.replace(job, part=(1, 1)))
    assert mattes(job, session) == whole


def output(name: str, score: float, iou: float = 0.9, **more: Any) -> Output:
    return {"name": name, "object_score_logits": torch.tensor([[score]]), "iou": iou, **more}


def policy_of(kind: type[MemoryPolicy], reverse: bool = False) -> Any:
    predictor = SimpleNamespace(conditioning=lambda state, obj: PROMPTED)
    return kind(Tracker(predictor, {}, 0, reverse))  # type: ignore[arg-type]  # who reads computes nothing


def names(policy: Any, index: int) -> dict[int, str]:
    """What frame `index` reads, by distance."""
    reads = policy.reads(index)
    assert reads["cond_frame_outputs"].items() >= PROMPTED.items()
    return {abs(index - at): found["name"] for at, found in reads["non_cond_frame_outputs"].items()}


def feed(policy: Any, outputs: dict[int, Output]) -> None:
    for index, found in outputs.items():
        policy.remember(index, [found])


def test_appearance() -> None:
    """SAM 3's formula, with 0 for what is thought to be hidden."""
    for score in (0.3, 2.0, 9.0):
        expected = (2 * torch.sigmoid(torch.tensor(score)).item() - 1) * 0.8
        assert appearance(output("", score, 0.8)) == pytest.approx(expected, abs=1e-6)
    assert appearance(output("", -3.0)) == 0


@pytest.mark.parametrize("reverse", [False, True])
def test_selected_looks_back_over_what_hid_the_subject(reverse: bool) -> None:
    policy = policy_of(Selected, reverse)
    order = [100 - i for i in range(60)] if reverse else list(range(1, 61))
    feed(policy, {at: output(str(at), 5.0 if i < 30 else -5.0) for i, at in enumerate(order)})
    assert len(policy.frames) == 16
    found = names(policy, order[-1] + (order[1] - order[0]))
    assert [found[rank] for rank in sorted(found)] == [str(order[59]), *(str(order[i]) for i in range(29, 14, -1))]
    beyond = names(policy, order[-1] + 2 * (order[1] - order[0]))
    assert beyond[1] == str(order[29]), "a prompt lies between: the last frame is not the one before, and shows nothing"


def test_selected_waits_for_no_frame_before_the_next_one_is_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU would stand still while its answer is fetched."""
    asked: list[str] = []

    def on_host(tensors: dict[str, Any]) -> Any:
        return lambda: asked.append(f"read {int(tensors['object_score_logits'])}") or tensors

    def track(state: Any, obj: int, index: int, **_: Any) -> Output:
        asked.append(f"track {index}")
        return output(str(index), float(index))

    monkeypatch.setattr(memory_selected, "on_host", on_host)
    policy = policy_of(Selected)
    policy.tracker.predictor.track = track
    for index in range(1, 5):
        policy.remember(index, policy.track(index))
    assert asked == ["track 1", "track 2", "read 1", "track 3", "read 2", "track 4", "read 3"]


def test_anchors_keep_what_tells_the_subject_from_others() -> None:
    policy = policy_of(Anchors)
    feed(policy, {i: output(str(i), 5.0, area=100, is_anchor=i in (8, 20, 32)) for i in range(1, 41)})
    feed(policy, {i: output(str(i), -5.0, area=0, is_anchor=False) for i in range(41, 80)})
    reads = policy.reads(80)
    assert [found["name"] for found in reads["cond_frame_outputs"].values()] == ["prompted", "20", "32"]
    assert names(policy, 80) == {1: "40", 2: "36", 3: "31"}, "the last that shows it, and every fifth"
    again = policy_of(Anchors)
    again.restore(policy.notes(), {i: [output(str(i), 5.0)] for i in policy.frames})
    assert (again.notes(), names(again, 80)) == (policy.notes(), names(policy, 80))


def test_something_else_is_there_where_the_box_grows() -> None:
    chosen, nearby, apart = (np.zeros((64, 64), bool) for _ in range(3))
    chosen[10:30, 10:30] = nearby[8:30, 10:31] = apart[10:30, 40:60] = True
    assert differs(chosen, apart)
    assert not differs(chosen, nearby)
    assert not differs(chosen, np.zeros_like(chosen))
    apart[40:42, 2:4] = True  # a smaller part decides nothing
    nearby[62:63, 60:62] = True
    assert differs(chosen, apart)
    assert not differs(chosen, nearby)


def test_what_a_file_says_is_not_believed() -> None:
    """Notes come from disk: what does not fit is no error, the frames are tracked again."""
    for kind in (Anchors, Tree):
        for notes in (None, {}, {"pathways": [{"score": 0, "memories": [[1, 7]]}], "spare": 10}, {"recent": ["x"]}):
            one = passes.Pass("sam2", Tracker(None, {}, 0, False), range(9), 0)  # type: ignore[arg-type]
            one.policy = policy_of(kind)
            assert not one.go_on(notes, {1: [output("1", 5.0)]}, set(), set(), set())


class Proposals:
    """Gives pathways masks of rows to choose from, depending on what the pathway remembers last."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.answers: list[list[tuple[int, float, float]]] = []  # of one pathway after the other: row, iou, score

    def conditioning(self, state: Any, obj: int) -> dict[int, Output]:
        return PROMPTED

    def candidates(self, state: Any, obj: int, index: int, *, reverse: bool, reads: Any) -> list[Output]:
        self.asked.append([found["name"] for found in reads["non_cond_frame_outputs"].values()])
        found = []
        for row, iou, score in self.answers.pop(0):
            masks = torch.full((1, 1, 8, 8), -9.0)
            masks[0, 0, row] = 9.0 if score > 0 else -9.0
            found.append(output(f"{index}.{row}", score, iou, pred_masks=masks))
        return found

    def encode(self, state: Any, index: int, output: Output) -> None:
        output["maskmem_features"] = index


def test_a_tree_forks_where_it_is_not_sure() -> None:
    proposals = Proposals()
    policy = Tree(Tracker(proposals, {}, 0, False))  # type: ignore[arg-type]

    def track(index: int, *answers: list[tuple[int, float, float]]) -> list[str]:
        proposals.asked.clear()
        proposals.answers = list(answers)
        found = policy.track(index)
        policy.remember(index, found)
        assert not proposals.answers, "every pathway is asked once"
        return [output["name"] for output in found]

    assert track(1, [(1, 0.9, 5.0), (2, 0.8, 5.0)]) == ["1.1"], "sure: one mask is enough"
    assert track(2, [(1, 0.9, 1.0), (1, 0.85, 1.0), (2, 0.8, 1.0), (3, 0.7, 1.0)]) == ["2.1", "2.2", "2.3"]
    # two pathways more cost what was saved; the second is better than the first from now on, and leads
    assert track(3, [(1, 0.5, 5.0)], [(2, 0.9, 5.0)], [(3, 0.2, 5.0)]) == ["3.2", "3.1", "3.3"]
    assert proposals.asked == [["2.1", "1.1"], ["2.2", "1.1"], ["2.3", "1.1"]]
    again = Tree(policy.tracker)
    kept = {i: [output(f"{i}.{row}", 5.0) for row in rows] for i, rows in ((1, [1]), (2, [1, 2, 3]), (3, [2, 1, 3]))}
    again.restore(policy.notes(), kept)
    assert again.notes() == policy.notes()
    assert [names(tracked, 4) for tracked in (again, policy)] == [{1: "3.2", 2: "2.2", 3: "1.1"}] * 2
    # less than two pathways are left to spare, so the third one ends here
    assert track(4, *[[(2, iou, 5.0)] for iou in (0.9, 0.95)]) == ["4.2"], "what gives the same is one"
    for index in range(5, 60):  # hidden: nothing is remembered
        track(index, [(2, 0.9, -5.0)])
    assert names(policy, 60) == {1: "4.2", 2: "3.2", 3: "2.2", 4: "1.1"}


def test_a_tree_carries_nearly_two_pathways_in_the_mean() -> None:
    """Three at a time, where it is not sure for long, are what was saved before."""
    proposals = Proposals()
    policy = Tree(Tracker(proposals, {}, 0, False))  # type: ignore[arg-type]
    for index in range(90):
        proposals.answers = [[(1, 0.9, 1.0), (2, 0.9, 1.0), (3, 0.9, 1.0)] if index > 30 else [(1, 0.9, 5.0)]] * 3
        policy.remember(index, policy.track(index))
    assert len(proposals.asked) <= 1.9 * 90 + 1
    assert len(proposals.asked) > 31 + 2 * 58, "more than one, where it is not sure"
