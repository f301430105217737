"""Held frames keep the mattes of the take that they were held from, and are part of what decides a take."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import toy

from addon.contract.errors import Cancelled, JobError, OutputError
from addon.contract.held_mattes import sha256_of
from addon.contract.job import Job
from addon.contract.job_types import Held, MatteObject, Model, Point, Prompt
from addon.engine.arguments import command_line, job_of
from addon.engine.session import Session
from addon.engine.store.matte_store import Take

COUNT = 10


def session() -> Session:
    return Session(lambda *_: None, lambda: False)


def track(job: Job) -> Take:
    return session().track(job).takes["toy"]


def logits(take: Take, *frames: int) -> list[bytes]:
    return [take.tracked(frame).logits.tobytes() for frame in frames]


def hold(take: Take, first: int, last: int) -> Held:
    return Held(first, last, take.folder.name[-20:], sha256_of(take.folder, first, last))


def changed(job: Job, prompts: tuple[Prompt, ...], *held: Held) -> Job:
    return dataclasses.replace(job, objects=(MatteObject("toy", prompts, held=held),))


@dataclasses.dataclass(frozen=True)
class First:
    """A Job, its tracked mattes, and the prompts of a later Job."""

    job: Job
    take: Take
    more: tuple[Prompt, ...]


@pytest.fixture(scope="module")
def tracked(small: Model, tmp_path_factory: pytest.TempPathFactory) -> First:
    clip = toy(tmp_path_factory.mktemp("held"))
    on, off = Point(*clip.subject), Point(*clip.elsewhere, include=False)
    prompts = (Prompt(2, (on,)),)
    job = Job(clip.take(COUNT), (MatteObject("toy", prompts),), model=small, output=str(clip.room / "mattes"))
    return First(job, track(job), (*prompts, Prompt(6, (on, off))))


@pytest.fixture
def first(tracked: First, tmp_path: Path) -> First:
    """The same in a store of its own."""
    folder = tmp_path / "mattes"
    shutil.copytree(tracked.job.output, folder)
    take = Take(folder / tracked.take.folder.relative_to(tracked.job.output))
    return First(dataclasses.replace(tracked.job, output=str(folder)), take, tracked.more)


def test_held_frames_stay_and_the_others_are_as_without_them(first: First) -> None:
    free = track(changed(first.job, first.more))
    pieced = track(changed(first.job, first.more, hold(first.take, 4, 5), hold(first.take, 9, COUNT)))
    assert pieced.folder != free.folder, "the key tells them apart"
    assert logits(pieced, 4, 5, 9, COUNT) == logits(first.take, 4, 5, 9, COUNT)
    assert logits(pieced, 1, 2, 3, 6, 7, 8) == logits(free, 1, 2, 3, 6, 7, 8)
    assert logits(free, 4, 5) != logits(first.take, 4, 5), "held frames would have changed"


def test_a_correction_is_taken_forward_from_its_own_frame(first: First) -> None:
    frames: list[int] = []
    job = changed(first.job, first.more, hold(first.take, 1, 5))
    seen = Session(lambda stage, done, total, frame: frames.append(frame) if stage == "track" else None, lambda: False)
    preview = seen.preview(job, 6)
    take = seen.track(job).takes["toy"]
    assert frames == [6, 7, 8, 9, 10], "what is held is not tracked"
    assert logits(take, 1, 2, 3, 4, 5) == logits(first.take, 1, 2, 3, 4, 5)
    assert logits(take, 6, 10) != logits(first.take, 6, 10)
    with np.load(preview) as shown:
        assert np.array_equal(shown["logits"][0], take.tracked(6).logits), "the preview has said so"
    corner = Prompt(8, (Point(1.0, 1.0, include=False),))
    again = changed(job, (*first.more, corner), hold(take, 1, 7))
    assert logits(track(again), 1, 6, 7) == logits(take, 1, 6, 7)


def test_interrupted_it_goes_on_to_the_same_bytes(first: First, tmp_path: Path) -> None:
    job = changed(first.job, first.more, hold(first.take, 1, 5), hold(first.take, 8, 8))
    straight = logits(track(job), *range(1, COUNT + 1))
    other = dataclasses.replace(job, output=str(tmp_path / "other"))
    shutil.copytree(first.take.folder, tmp_path / "other" / first.take.folder.relative_to(first.job.output))
    left = 2

    def progress(stage: str, done: int, total: int, frame: int) -> None:
        nonlocal left
        left -= stage == "track"

    with pytest.raises(Cancelled):
        Session(progress, lambda: left <= 0).track(other)
    assert logits(track(other), *range(1, COUNT + 1)) == straight


def test_the_command_line_holds_the_newest_mattes(first: First) -> None:
    x, y = first.more[0].points[0].x, first.more[0].points[0].y
    common = ["track", str(Path(first.job.footage.files[0]).parent), "--point", f"toy:2:{x}:{y}"]
    common += ["--output", first.job.output, "--checkpoint", first.job.model.checkpoint]
    options = command_line().parse_args([*common, "--hold", "toy:3:4", "--hold", "toy:6:6"])
    assert job_of(options).objects[0].held == (hold(first.take, 3, 4), hold(first.take, 6, 6))
    for text, words in (("toy:3:11", "not inside"), ("hat:1:2", "No object"), ("toy:3:x", "not the number")):
        with pytest.raises(JobError, match=words):
            job_of(command_line().parse_args([*common, "--hold", text]))
    first.take.forget_matte(4)
    with pytest.raises(JobError, match="Frame 4 has no matte to hold"):
        job_of(options)


def test_what_is_held_has_to_be_there_and_unchanged(first: First) -> None:
    held = hold(first.take, 1, 5)
    other = changed(first.job, first.more, dataclasses.replace(held, sha256="0" * 64))
    with pytest.raises(OutputError, match=r"objects\[0\]\.held\[0\]\.sha256.*have changed since"):
        track(other)
    first.take.forget_matte(3)
    for call in (session().track, session().check, session().retrack):
        with pytest.raises(OutputError, match="Frame 3 is held, but its matte is gone"):
            call(changed(first.job, first.more, held))


def test_a_take_that_frames_are_held_of_outlives_newer_ones(first: First) -> None:
    held = hold(first.take, 1, COUNT)
    for x in range(5):
        point = Point(first.more[0].points[0].x + x, first.more[0].points[0].y)
        track(changed(first.job, (Prompt(2, (point,)),), held))
    assert first.take.frames() == list(range(1, COUNT + 1))


def test_compressing_does_not_change_what_is_held(first: First) -> None:
    held = hold(first.take, 1, 1)
    first.take.put_matte(1, first.take.tracked(1), compressed=False)
    assert hold(first.take, 1, 1) == held
    first.take.compress(1)
    assert hold(first.take, 1, 1) == held
