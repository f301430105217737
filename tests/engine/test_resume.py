"""Interrupted anywhere, the result is the same to the last bit; finished work is never done twice."""

import contextlib
import dataclasses
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import toy

from addon.contract.errors import Cancelled, MatteError
from addon.contract.job import Job
from addon.contract.job_types import MatteObject, Model, Point, Prompt
from addon.engine.session import Session

ROOT = Path(__file__).resolve().parents[2]


def mattes(job: Job, session: Session) -> dict[tuple[str, int], bytes]:
    takes = session.track(job).takes
    return {
        (name, frame): b"".join(np.asarray(value).tobytes() for value in dataclasses.astuple(take.matte(frame)))
        for name, take in takes.items()
        for frame in job.frames
    }


@dataclasses.dataclass(frozen=True)
class Straight:
    """A Job tracked without a stop, and its mattes. Tests compare with it; one that needs its files copies them."""

    job: Job
    mattes: dict[tuple[str, int], bytes]

    def copy(self, output: Path) -> Job:
        """The Job with all that is tracked of it, in `output`."""
        shutil.copytree(self.job.output, output)
        return dataclasses.replace(self.job, output=str(output))


@pytest.fixture(scope="module")
def straight(small: Model, tmp_path_factory: pytest.TempPathFactory) -> Straight:
    """Two objects that start on different frames, one with a correction on each side of its start."""
    clip = toy(tmp_path_factory.mktemp("straight"))
    on, off = Point(*clip.subject), Point(*clip.elsewhere, include=False)
    job = Job(
        clip.take(24),
        (
            MatteObject("early", (Prompt(4, (on, off)),)),
            MatteObject("late", (Prompt(6, (off,)), Prompt(10, (on,)), Prompt(13, (off,)))),
        ),
        model=small,
        output=str(clip.room / "mattes"),
    )
    return Straight(job, mattes(job, Session(lambda *_: None, lambda: False)))


@pytest.fixture
def job(straight: Straight, tmp_path: Path) -> Job:
    """The same with nothing done yet."""
    return dataclasses.replace(straight.job, output=str(tmp_path / "mattes"))


def images(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


class Interrupter:
    """Stops a session after `left` frames."""

    def __init__(self, left: int) -> None:
        self.left = left

    def progress(self, stage: str, done: int, total: int, frame: int) -> None:
        self.left -= stage == "track"

    def cancelled(self) -> bool:
        return self.left <= 0


def test_stopping_anywhere_changes_nothing(job: Job, straight: Straight) -> None:
    stops = 0
    for frames in (1, 3, 9, 5):  # in the forward pass of one object, of both, at its end, and in the backward pass
        interrupter = Interrupter(frames)
        with contextlib.suppress(Cancelled):
            Session(interrupter.progress, interrupter.cancelled).track(job)
            continue
        stops += 1
    assert stops == 4
    assert mattes(job, Session(lambda *_: None, lambda: False)) == straight.mattes


def test_a_killed_engine_goes_on_to_the_same_bytes(job: Job, straight: Straight, tmp_path: Path) -> None:
    def run(output: Path, kill_at: str) -> str:
        path = tmp_path / "job.json"
        path.write_text(dataclasses.replace(job, output=str(output)).to_json(), encoding="utf-8")
        command = [sys.executable, "-P", "-m", "addon.engine", "run", str(path)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(ROOT), "PATH": ""}
        ) as engine:
            last = ""
            assert engine.stdout is not None
            for line in engine.stdout:
                last = line.strip()
                if kill_at and last.startswith(kill_at):
                    engine.send_signal(signal.SIGKILL)
        assert engine.returncode == (-signal.SIGKILL if kill_at else 0)
        return last

    straight.copy(tmp_path / "straight")
    expected = images(Path(run(tmp_path / "straight", "")))
    assert len(expected) == 24
    run(tmp_path / "killed", "track 11/")
    run(tmp_path / "killed", "track 5/")
    run(tmp_path / "killed", "export 7/")
    assert not list((tmp_path / "killed").glob("v*")), "a version is there whole or not at all"
    assert images(Path(run(tmp_path / "killed", ""))) == expected


def test_what_is_tracked_is_not_tracked_again(job: Job, straight: Straight) -> None:
    tracked: list[int] = []
    session = Session(
        lambda stage, done, total, frame: tracked.append(frame) if stage == "track" else None, lambda: False
    )
    session.track(dataclasses.replace(job, frame_range=(4, 13)))
    # the second object up to 21, 15 frames after its start: its backward pass reads them
    assert sorted({*tracked}) == list(range(4, 22))
    tracked.clear()
    session.track(dataclasses.replace(job, frame_range=(4, 13)))
    session.track(dataclasses.replace(job, frame_range=(4, 13), direction="forward"))
    assert not tracked, "asked for what is there"
    session.track(dataclasses.replace(job, frame_range=(4, 14), direction="forward"))
    assert tracked == [14], "one frame more"
    wider = mattes(job, session)
    assert tracked == [*range(14, 25), 3, 2, 1], "a wider range adds its new frames only"
    assert wider == straight.mattes


def test_the_store_keeps_only_the_memory_that_is_still_read(job: Job, clip) -> None:
    long = dataclasses.replace(job, footage=clip.take(40), objects=job.objects[:1], memory="sam2")
    take = Session(lambda *_: None, lambda: False).track(long).takes["early"]
    assert not list(take.folder.rglob("*.part"))
    assert len(list((take.folder / "matte").iterdir())) == 40
    kept = {int(path.stem) for path in (take.folder / "memory").iterdir()}
    # within 15 frames of the start, for the backward pass, and of the end, for a wider range
    assert kept == {*range(1, 20), *range(25, 41)} - {4}


def test_a_damaged_store_is_remade(straight: Straight, tmp_path: Path) -> None:
    session = Session(lambda *_: None, lambda: False)
    job = straight.copy(tmp_path / "mattes")
    take = session.track(job).takes["early"]
    for frame in (22, 23, 24):
        take.forget_matte(frame)
    for path in (take.folder / "memory").iterdir():
        path.write_bytes(b"not a memory")
    assert mattes(job, session) == straight.mattes


def test_two_engines_do_not_share_a_take(job: Job) -> None:
    second = Session(lambda *_: None, lambda: False)

    def meddle(stage: str, done: int, total: int, frame: int) -> None:
        if stage == "track" and done == 2:
            with pytest.raises(MatteError, match="Another engine"):
                second.track(job)

    Session(meddle, lambda: False).track(job)
