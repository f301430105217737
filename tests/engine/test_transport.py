"""Parts of a clip, in any order, end up as the whole does: one frame on, to an end, again from here."""

import dataclasses
from pathlib import Path

import pytest
from test_resume import mattes

from addon.contract.errors import JobError
from addon.contract.job import Job
from addon.contract.job_types import MatteObject, Model, Point, Prompt
from addon.engine.session import Session
from addon.engine.tracking import passes

COUNT = 22


@pytest.fixture
def job(clip, small: Model, tmp_path: Path) -> Job:
    """An object with a correction behind its start."""
    on, off = Point(*clip.subject), Point(*clip.elsewhere, include=False)
    return Job(
        clip.take(COUNT),
        (MatteObject("subject", (Prompt(4, (on,)), Prompt(6, (off,)))),),
        model=small,
        output=str(tmp_path / "mattes"),
    )


class Watched:
    """A session that records the frames tracked since the last check, also those on the way to corrections."""

    def __init__(self) -> None:
        self._frames: list[int] = []
        self.session = Session(self._progress, lambda: False)

    def _progress(self, stage: str, done: int, total: int, frame: int) -> None:
        if stage == "track":
            assert done <= total
            self._frames.append(frame)

    def look(self) -> list[int]:
        seen, self._frames = self._frames, []
        return seen


def test_piece_by_piece_is_the_whole(job: Job, tmp_path: Path) -> None:
    watched = Watched()

    def track(first: int, last: int) -> list[int]:
        tracked = watched.session.track(dataclasses.replace(job, part=(first, last)))
        assert tracked.frames == list(range(first, last + 1))
        return watched.look()

    settle = [4, 5, 6]  # the correction, once
    assert track(5, 6) == [*settle, 4, 5, 6]
    assert track(6, 7) == [7], "one frame on"
    assert track(5, 6) == []
    # the first frame back reads the 15 frames after the start
    assert track(3, 4) == [*range(8, 20), 3], "one frame back"
    assert track(1, 3) == [2, 1], "to the start"
    assert track(19, COUNT) == [20, 21, 22], "to the end"
    pieces = mattes(job, watched.session)
    assert watched.look() == []

    def again(first: int, last: int) -> list[int]:
        watched.session.retrack(dataclasses.replace(job, part=(first, last)))
        return watched.look()

    assert again(21, COUNT) == [21, 22]
    assert again(1, 2) == [2, 1]
    assert again(12, 14) == [12, 13, 14]
    assert pieces == mattes(job, watched.session)
    assert pieces == mattes(dataclasses.replace(job, output=str(tmp_path / "whole")), watched.session)


def test_again_from_a_milestone(job: Job, clip, monkeypatch: pytest.MonkeyPatch) -> None:
    """Far from both ends the memory is gone but for milestones: what lies before the last of them is not tracked."""
    monkeypatch.setattr(passes, "_MILESTONE", 18)  # more than a frame remembers, and one lies in a short clip
    on = Prompt(1, (Point(*clip.subject),))
    job = dataclasses.replace(job, footage=clip.take(36), objects=(MatteObject("subject", (on,)),))
    watched = Watched()
    straight = mattes(job, watched.session)
    watched.look()
    watched.session.retrack(dataclasses.replace(job, part=(26, 26)))
    assert watched.look() == list(range(19, 27)), "19 is the 18th after the start"
    watched.session.track(job)
    assert watched.look() == []
    assert mattes(job, watched.session) == straight


def test_a_changed_prompt_tracks_its_object_only(job: Job, clip) -> None:
    watched = Watched()
    other = MatteObject("other", (Prompt(2, (Point(*clip.elsewhere),)),))
    both = dataclasses.replace(job, objects=(*job.objects, other), part=(1, 8))
    first = watched.session.track(both)
    moved = dataclasses.replace(both.objects[0], prompts=(both.objects[0].prompts[0],))
    second = watched.session.track(dataclasses.replace(both, objects=(moved, other)))
    assert second.takes["other"].folder == first.takes["other"].folder
    assert second.takes["subject"].folder != first.takes["subject"].folder
    watched.look()
    watched.session.track(both)
    assert watched.look() == [], "the correction is undone: its mattes are still there"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"part": (9, COUNT + 1)}, "part: 9 to 23 is not inside"),
        ({"part": (9, 8)}, "part: 9 to 8"),
        ({"frame_range": (2, 10), "part": (1, 5)}, "part: 1 to 5 is not inside the frames 2 to 10"),
    ],
)
def test_parts_that_are_none(job: Job, changes: dict, words: str) -> None:
    with pytest.raises(JobError, match=words):
        dataclasses.replace(job, **changes)


def test_a_part_that_tracking_does_not_reach(job: Job) -> None:
    away = dataclasses.replace(job, direction="forward", part=(1, 2))
    with pytest.raises(JobError, match=r"reaches none of the frames 1 to 2.*Track both ways"):
        Session(lambda *_: None, lambda: False).track(away)
