"""A second opinion: tracked from both ends, settled a frame at a time, the same however it came about."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from conftest import toy
from test_resume import Interrupter, mattes

from addon.contract.errors import Cancelled
from addon.contract.job import Job
from addon.contract.job_types import MatteObject, Model, Point, Prompt
from addon.engine.review import second_opinion
from addon.engine.review.find_suspects import review
from addon.engine.session import Session
from addon.engine.store.matte_store import Matte, Take

COUNT = 12
FIRST, LAST = 3, 9


@pytest.fixture(scope="module")
def job(small: Model, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """An object that is prompted twice, and one that is prompted once."""
    clip = toy(tmp_path_factory.mktemp("second"))
    on, off = Point(*clip.subject), Point(*clip.elsewhere, include=False)
    objects = (
        MatteObject("twice", (Prompt(FIRST, (on,)), Prompt(LAST, (off,)))),
        MatteObject("once", (Prompt(4, (on, off)),)),
    )
    return Job(clip.take(COUNT), objects, small, second_opinion=True, output=str(clip.room / "mattes"), target="")


@pytest.mark.parametrize("direction", ["both", "backward"])
def test_each_frame_is_the_surer_of_both_ways(direction: str, job: Job) -> None:
    job = dataclasses.replace(job, direction=direction, frame_range=(2, COUNT))
    tracked: list[int] = []

    def progress(stage: str, done: int, total: int, frame: int) -> None:
        assert 0 < done <= total or stage == "model"
        if stage == "track":
            tracked.append(frame)

    session = Session(progress, lambda: False)
    settled = session.track(job).takes
    tracked.clear()
    plain = dataclasses.replace(job, second_opinion=False)
    other = dataclasses.replace(
        plain,
        objects=job.objects[:1],
        direction="backward" if direction == "both" else "forward",
        part=(FIRST, LAST),
    )
    ways = [session.track(way).takes for way in (plain, other)]
    assert not tracked, "both ways are there for a Job that asks for no second opinion"
    assert settled["once"].folder == ways[0]["once"].folder
    agreed = second_opinion.kept(settled["twice"])
    assert list(agreed) == list(range(FIRST + 1, LAST))
    for frame in settled["twice"].frames():
        one = ways[0]["twice"].tracked(frame)
        expected = one
        if frame in agreed:
            behind = ways[1]["twice"].tracked(frame)
            lead = 0.6 * second_opinion.nearness([FIRST, LAST], frame) * (1 if direction == "both" else -1)
            if second_opinion.sureness(behind) > second_opinion.sureness(one) + lead:
                expected = behind
            assert agreed[frame] == second_opinion.agreement(one, behind)
        found = settled["twice"].tracked(frame)
        assert np.array_equal(found.logits, expected.logits)
        assert (found.iou, found.object_score) == (expected.iou, expected.object_score)


def test_pieces_and_stops_change_nothing(job: Job, tmp_path: Path) -> None:
    job = dataclasses.replace(job, objects=job.objects[:1])
    session = Session(lambda *_: None, lambda: False)
    whole = mattes(job, session)
    job = dataclasses.replace(job, output=str(tmp_path / "pieces"))
    session.track(dataclasses.replace(job, part=(5, 6)))
    for frames in (1, 6, 7):
        with contextlib.suppress(Cancelled):
            interrupter = Interrupter(frames)
            stopped = Session(interrupter.progress, interrupter.cancelled)
            stopped._loaded = session._loaded
            stopped.track(job)
    assert mattes(job, session) == whole
    session.retrack(dataclasses.replace(job, part=(7, 7)))
    assert mattes(job, session) == whole


def matte(left: int, score: float = 5.0, iou: float = 0.9) -> Matte:
    logits = np.full((32, 32), -5, np.float16)
    logits[8:24, left : left + 16] = 5
    return Matte(logits, iou, score)


def test_what_differs_is_a_suspect(job: Job, tmp_path: Path) -> None:
    one, other, settled = (Take(tmp_path / name) for name in ("one", "other", "settled"))
    for frame in job.frames:
        one.put_matte(frame, matte(8, iou=0.95 if frame == 6 else 0.9))  # in the middle none is nearer
        other.put_matte(frame, matte(14 if frame in (6, 7) else 8, iou=0.92))
    settled.describe({})
    second_opinion.settle(job, job.objects[0], one, other, settled)
    shown = {frame: int((settled.tracked(frame).logits > 0).any(axis=0).argmax()) for frame in settled.frames()}
    assert (shown[6], shown[7]) == (8, 14), "the surer"
    (found,) = [suspect for suspect in review(settled, [FIRST, LAST], FIRST) if 6 in suspect.frames]
    assert "differs when tracked from the other end" in found.reason


@pytest.mark.parametrize("lost", ["mattes", "agreement", "half of it"])
def test_settling_goes_on_after_a_kill(lost: str, job: Job, tmp_path: Path) -> None:
    one, other, settled = (Take(tmp_path / name) for name in ("one", "other", "settled"))
    for frame in job.frames:
        one.put_matte(frame, matte(8))
        other.put_matte(frame, matte(9 if frame % 2 else 12, iou=0.92))
    settled.describe({})
    second_opinion.settle(job, job.objects[0], one, other, settled)
    file = settled.folder / "agreement.json"
    whole, wanted = file.read_bytes(), {frame: settled.tracked(frame).logits.tobytes() for frame in job.frames}
    for frame in (1, 6, 7) if lost != "agreement" else ():
        settled.forget_matte(frame)
    if lost != "mattes":
        file.write_bytes(b"" if lost == "agreement" else whole[: len(whole) // 2])
    second_opinion.settle(job, job.objects[0], one, other, settled)
    assert file.read_bytes() == whole
    assert {frame: settled.tracked(frame).logits.tobytes() for frame in job.frames} == wanted


def test_who_is_surer() -> None:
    hidden = matte(8, score=-9.0)
    assert second_opinion.sureness(hidden) > second_opinion.sureness(matte(8, score=0.5))
    assert second_opinion.sureness(matte(8, iou=0.9)) > second_opinion.sureness(matte(8, iou=0.6))
    found = [second_opinion.nearness([1, 3, 11], frame) for frame in (2, 4, 7, 10)]
    assert found == [0, 0.375, 0, -0.375]
