"""Which frames an export writes, and going on with a version: nothing else changes, nothing is ever there by halves."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from addon.contract.disk import exchange
from addon.contract.errors import Cancelled, FootageError, JobError, OutputError
from addon.contract.job import Job
from addon.contract.job_types import Delivery, MatteObject, Point, Prompt
from addon.engine.export import export, prepare, versions
from addon.engine.export.scope import spans
from addon.engine.footage.footage import Reader, scan

WIDTH, HEIGHT, FRAMES = 32, 24, 6
ALL = list(range(1, FRAMES + 1))


class Shot:
    """Footage of a few frames whose mattes can be changed; `written` are the frames of the last export."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        for i in ALL:
            pixels = np.random.default_rng(i).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"shot.{i:04d}.png")
        footage, _ = scan(folder)
        marked = (MatteObject("a", (Prompt(1, (Point(1, 1),)),)),)
        self.folder, self.output = folder, folder.with_name("out")
        self.job = Job(footage, marked, output=str(self.output), target="masks")
        self.edges = dict.fromkeys(ALL, 8)  # where each frame's matte ends
        self.written: list[int] = []

    def matte(self, frame: int, name: str | None = None) -> NDArray[np.uint8]:
        matte = np.zeros((HEIGHT, WIDTH), np.uint8)
        matte[:, : self.edges[frame]] = 255
        return matte

    def export(self, tracked: list[int] = ALL, stop_after: int = 100, **delivery: Any) -> Path:
        job = dataclasses.replace(self.job, delivery=Delivery(**delivery))
        self.written = []
        return export(
            prepare(job, Reader(job.footage)),
            self.matte,
            frames=tracked,
            key=str(self.edges),
            frame_key=lambda frame: str(self.edges[frame]),
            report={"model": "none"},
            on_frame=lambda _done, _total, frame: self.written.append(frame),
            cancelled=lambda: len(self.written) >= stop_after,
        )

    def edges_of(self, version: Path) -> dict[int, int]:
        """Return the edge of each frame's matte in its file."""
        found = {}
        for file in version.iterdir():
            with Image.open(file) as mask:
                found[int(file.stem[-4:])] = int(np.count_nonzero(np.asarray(mask)[0]))
        return found

    def report(self, version: Path) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(version.with_suffix(".json").read_text(encoding="utf-8"))["report"]["export"]
        return found


@pytest.fixture
def shot(tmp_path: Path) -> Shot:
    return Shot(tmp_path / "plates")


def contents(version: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in version.iterdir()}


def test_a_range(shot: Shot) -> None:
    version = shot.export(frame_range=(2, 3))
    assert sorted(shot.edges_of(version)) == [2, 3]
    shot.job = dataclasses.replace(shot.job, target="t3dgs")  # a mask for every frame, of the range; counted from 0
    assert sorted(shot.edges_of(shot.export(tracked=[3], frame_range=(3, 4)))) == [2, 3]


def test_missing_frames_are_added_to_the_latest(shot: Shot) -> None:
    first = shot.export(frame_range=(2, 3))
    before = contents(first)
    shot.edges = dict.fromkeys(ALL, 12)  # what is there stays, although its mattes are others now
    assert shot.export(scope="missing", into="latest") == first
    assert sorted(shot.written) == [1, 4, 5, 6]
    assert shot.edges_of(first) == {1: 12, 2: 8, 3: 8, 4: 12, 5: 12, 6: 12}
    assert {name: contents(first)[name] for name in before} == before
    assert [path.name for path in shot.output.iterdir() if path.name != "work"] == ["v001", "v001.json"]
    report = shot.report(first)
    assert [(run["scope"], run["frames"]) for run in report["written"]] == [
        ("all", [[2, 3]]),
        ("missing", [[1, 1], [4, 6]]),
    ]
    assert report["frames"] == FRAMES


def test_changed_frames_of_a_named_version(shot: Shot) -> None:
    first = shot.export(frame_range=(1, 5))
    second = shot.export()
    kept = contents(second)
    shot.edges[2] = shot.edges[5] = 20
    assert shot.export(scope="changed", into="v001", frame_range=(2, 6)) == first
    assert sorted(shot.written) == [2, 5, 6]
    assert shot.edges_of(first) == {1: 8, 2: 20, 3: 8, 4: 8, 5: 20, 6: 8}
    assert contents(second) == kept
    assert shot.export(scope="changed", into="v001") == first
    assert shot.written == []


def test_a_changed_plate_counts(shot: Shot) -> None:
    shot.export()
    Image.new("RGB", (WIDTH, HEIGHT)).save(shot.folder / "shot.0004.png")
    shot.export(scope="changed", into="latest")
    assert shot.written == [4]


def test_all_frames_of_a_range_are_written_again(shot: Shot) -> None:
    first = shot.export()
    untouched = contents(first)
    shot.edges = dict.fromkeys(ALL, 3)
    shot.export(into="latest", frame_range=(3, 4))
    assert shot.edges_of(first) == {1: 8, 2: 8, 3: 3, 4: 3, 5: 8, 6: 8}
    after = contents(first)
    assert {name for name in after if after[name] != untouched[name]} == {"shot.0003.png", "shot.0004.png"}


def test_a_new_version_takes_over_what_is_unchanged(shot: Shot) -> None:
    first = shot.export()
    before = contents(first)
    shot.edges[2] = 20
    second = shot.export(scope="changed")
    assert (second.name, shot.written) == ("v002", [2])
    assert shot.edges_of(second) == {**dict.fromkeys(ALL, 8), 2: 20}
    for file in second.iterdir():  # a later change of one must not reach the other
        file.write_bytes(b"")
    assert contents(first) == before
    assert [run["frames"] for run in shot.report(second)["written"]] == [[[1, 6]], [[2, 2]]]


def test_with_nothing_to_do_there_is_no_new_version(shot: Shot) -> None:
    first = shot.export()
    assert shot.export(scope="missing") == first
    assert shot.export(scope="changed", into="latest") == first
    assert sorted(path.name for path in shot.output.glob("v*")) == ["v001", "v001.json"]


def test_the_latest_is_one_of_the_same_kind(shot: Shot) -> None:
    """Masks go on with masks: another target's version is passed over, a named one refused."""
    first = shot.export(frame_range=(1, 2))
    shot.job = dataclasses.replace(shot.job, target="postshot")
    assert shot.export(into="latest", frame_range=(1, 2)).name == "v002"
    shot.job = dataclasses.replace(shot.job, target="masks")
    assert shot.export(into="latest", scope="missing") == first
    with pytest.raises(JobError, match="v002 holds other target: postshot; now it would be masks"):
        shot.export(into="v002")
    shot.job = dataclasses.replace(shot.job, invert=True)
    with pytest.raises(JobError, match=r"subject white.* now it would be .*subject black"):
        shot.export(into="v001")
    with pytest.raises(JobError, match=r"There is no v007"):
        shot.export(into="v007")


def test_stopped_the_version_is_as_it_was(shot: Shot) -> None:
    first = shot.export()
    before, report = contents(first), first.with_suffix(".json").read_bytes()
    shot.edges = dict.fromkeys(ALL, 3)
    with pytest.raises(Cancelled):
        shot.export(into="latest", stop_after=2)
    stopped = len(shot.written)
    assert (contents(first), first.with_suffix(".json").read_bytes()) == (before, report)
    shot.export(into="latest")
    assert len(shot.written) <= FRAMES - stopped  # a frame that was just being written is finished too
    assert shot.edges_of(first) == shot.edges


def test_a_damaged_plate_leaves_the_version_as_it_was(shot: Shot) -> None:
    first = shot.export()
    before = contents(first)
    shot.job = dataclasses.replace(shot.job, target="postshot")
    second = shot.export()
    file = shot.folder / "shot.0005.png"
    file.write_bytes(file.read_bytes()[:-500])
    with pytest.raises(FootageError, match=r"shot\.0005"):
        shot.export(into="latest")
    assert contents(first) == before
    assert len(contents(second)) == FRAMES


def exchanges(folder: Path) -> bool:
    """Whether the system can exchange folders atomically on this disk."""
    (folder / "one").mkdir()
    (folder / "other").mkdir()
    return exchange(folder / "one", folder / "other")


@pytest.mark.parametrize(
    ("step", "can_exchange"), [*((step, False) for step in range(1, 7)), *((step, True) for step in range(1, 5))]
)
def test_a_crash_while_it_takes_its_place(
    shot: Shot, monkeypatch: pytest.MonkeyPatch, step: int, can_exchange: bool
) -> None:
    """At whichever rename the power fails, either the old or the new version is there, never a mixture."""
    if not can_exchange:
        monkeypatch.setattr(versions, "exchange", lambda one, other: False)
    elif not exchanges(shot.output.parent):
        pytest.skip("this disk knows no exchange of two names")
    first = shot.export()
    shot.edges = dict.fromkeys(ALL, 3)

    class PowerCut(BaseException):
        pass

    moves = 0

    def cut(name: str) -> None:
        original = getattr(Path, name)

        def move(self: Path, target: Path) -> Path:
            nonlocal moves
            if any("swap" in part or part == "v001" for part in (*self.parts, *Path(target).parts)):
                moves += 1
                if moves == step:
                    raise PowerCut
            result: Path = original(self, target)
            return result

        monkeypatch.setattr(Path, name, move)

    cut("rename")
    cut("replace")
    with pytest.raises(PowerCut):
        shot.export(into="latest")
    monkeypatch.undo()
    version = versions.find(shot.output, "v001", {})
    assert version is not None
    assert set(shot.edges_of(first).values()) in ({8}, {3})
    assert len(version.facts["written"]) == (2 if shot.edges_of(first)[1] == 3 else 1)
    shot.export(into="latest")
    assert shot.edges_of(first) == shot.edges
    assert not list(shot.output.glob("work/.swap*"))


def test_two_that_go_on_with_one_version(shot: Shot) -> None:
    """The one that finishes last is told, rather than undoing what the other has done."""
    first = shot.export()
    rival = Shot.__new__(Shot)
    rival.__dict__.update(shot.__dict__, edges=dict.fromkeys(ALL, 20))
    original = shot.matte

    def matte(frame: int, name: str | None = None) -> NDArray[np.uint8]:
        if not rival.written:
            rival.written = [0]
            rival.export(into="latest")
        return original(frame)

    rival.written = []
    shot.matte = matte  # type: ignore[method-assign]
    with pytest.raises(OutputError, match="Another export has changed v001"):
        shot.export(into="latest", frame_range=(1, 1))
    assert shot.edges_of(first) == rival.edges


def test_where_the_disk_knows_no_links(shot: Shot, monkeypatch: pytest.MonkeyPatch) -> None:
    first = shot.export()

    def no_links(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("os.link", no_links)
    shot.edges[1] = 3
    shot.export(into="latest", frame_range=(1, 1))
    assert shot.edges_of(first) == shot.edges


def test_an_older_report_without_frames(shot: Shot) -> None:
    """Of versions from before, nothing is known to be unchanged."""
    first = shot.export()
    file = first.with_suffix(".json")
    document = json.loads(file.read_text(encoding="utf-8"))
    for name in ("made_from", "written"):
        del document["report"]["export"][name]
    file.write_text(json.dumps(document), encoding="utf-8")
    shot.export(scope="missing", into="latest")
    assert shot.written == []
    shot.export(scope="changed", into="latest")
    assert sorted(shot.written) == ALL
    shutil.rmtree(first)  # a report alone is no version
    assert shot.export(into="latest").name == "v002"


def test_spans() -> None:
    assert spans([1, 2, 3, 7, 9, 10]) == [[1, 3], [7, 7], [9, 10]]
    assert spans([]) == []
