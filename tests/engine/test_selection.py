"""Which frames: the blurred and the near-duplicates go, the kept ones lie evenly, and only they are exported."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from addon.contract.errors import ExitCode, JobError
from addon.contract.job_types import Footage
from addon.engine.arguments import command_line, job_of
from addon.engine.footage.footage import Reader, scan
from addon.engine.selection.choose import choose
from addon.engine.selection.kept_list import read_kept
from addon.engine.selection.looks import Look, looks_of
from bench._orbit import Orbit, render
from tests.engine.test_command_line import engine
from tests.engine.test_scopes import Shot

SIZE = (240, 180)
COUNT = 24


@pytest.fixture(scope="module")
def orbit(tmp_path_factory: pytest.TempPathFactory) -> Orbit:
    return render(tmp_path_factory.mktemp("orbit"), 1, COUNT, SIZE)


def looks(files: tuple[str, ...], **more: Any) -> list[Look]:
    return list(looks_of(Reader(Footage(files, *SIZE, COUNT)), range(1, COUNT + 1), SIZE, **more))


def test_the_blurred_are_dropped_and_no_others(orbit: Orbit) -> None:
    blurred = {int(i) + 1 for i in np.flatnonzero(orbit.blur)}
    choice = choose([looks(orbit.files)])
    assert blurred and set(choice.blurred) == blurred
    assert set(choice.kept) | set(choice.blurred) | set(choice.duplicates) == set(range(1, COUNT + 1))
    assert len(choice.kept) + len(choice.blurred) + len(choice.duplicates) == COUNT


def test_blur_counts_where_the_subject_is(orbit: Orbit, tmp_path: Path) -> None:
    """Every third frame is as if the camera had followed the subject: only what is around it is blurred."""
    sharp = [i for i in range(COUNT) if not orbit.blur[i]]
    followed = sharp[::3]
    files = []
    for i, file in enumerate(orbit.files):
        picture = cv2.imread(file)
        assert picture is not None
        if i in followed:
            blurred = cv2.blur(picture, (9, 1))
            picture = np.where(orbit.mattes[i][..., None], picture, blurred)
        files.append(str(tmp_path / Path(file).name))
        cv2.imwrite(files[-1], picture)
    found = looks(tuple(files), subject=lambda frame: orbit.mattes[frame - 1])
    dropped = {frame - 1 for frame in choose([found]).blurred}
    assert not dropped & set(followed)
    assert dropped == {int(i) for i in np.flatnonzero(orbit.blur)}


def made_up(moved: list[float], sharpness: list[float] | None = None, first: int = 1) -> list[Look]:
    sharp = sharpness or [2.0] * len(moved)
    return [Look(first + i, *values) for i, values in enumerate(zip(sharp, [math.nan, *moved[1:]], strict=True))]


def test_kept_frames_lie_evenly_along_the_path() -> None:
    """The camera crawls for 40 frames, then hurries for 10: both stretches are as long."""
    moved = [0.005] * 40 + [0.02] * 10
    kept = choose([made_up(moved)], 8).kept
    assert len(kept) == 8
    gaps = np.diff(np.cumsum([0, *moved[1:]])[np.array(kept) - 1])
    assert gaps.max() < 2.2 * gaps.min()
    assert sum(frame <= 40 for frame in kept) == 4


def test_the_sharpest_of_each_stretch_is_taken() -> None:
    sharpness = [2.0, 2.1, 2.5, 2.1, 2.0] * 6
    kept = choose([made_up([0.02] * 30, sharpness)], 6).kept
    assert kept == tuple(range(3, 31, 5))


@pytest.mark.parametrize("count", [0, 5])
def test_what_does_not_move_is_one_picture(count: int) -> None:
    choice = choose([made_up([0.0] * 20, [2.0] * 7 + [2.4] + [2.0] * 12)], count)
    assert choice.kept == (8,)
    assert len(choice.duplicates) == 19


def test_no_more_than_asked_for_and_each_camera_has_its_share() -> None:
    cameras = [made_up([0.02] * 30), made_up([0.02] * 60, first=31)]
    kept = choose(cameras, 9).kept
    assert sum(frame <= 30 for frame in kept) == 3 and len(kept) == 9


def test_of_an_unknown_sharpness_nothing_is_said() -> None:
    choice = choose([made_up([0.02] * 10, [2.0] * 4 + [math.nan] * 2 + [2.0] * 4)])
    assert not choice.blurred and len(choice.kept) == 10


def test_photos_too_far_apart_to_follow_are_all_kept() -> None:
    assert choose([made_up([math.nan] * 12)]).kept == tuple(range(1, 13))


def test_one_frame() -> None:
    assert choose([made_up([0.0])], 3).kept == (1,)


class TestExport:
    @pytest.fixture
    def shot(self, tmp_path: Path) -> Shot:
        return Shot(tmp_path / "shot")

    def test_only_kept_frames_are_written_and_listed(self, shot: Shot) -> None:
        version = shot.export(kept=(2, 3, 6))
        assert sorted(shot.written) == [2, 3, 6]
        names = [f"shot.{i:04d}.png" for i in (2, 3, 6)]
        assert sorted(path.name for path in version.iterdir()) == ["kept.txt", *names]
        assert (version / "kept.txt").read_text().splitlines() == names

    def test_without_them_a_report_is_as_ever(self, shot: Shot) -> None:
        version = shot.export()
        assert "kept" not in json.loads(version.with_suffix(".json").read_text())["report"]["export"]
        assert not (version / "kept.txt").exists()

    def test_another_choice_goes_on_with_no_version(self, shot: Shot) -> None:
        first = shot.export(kept=(2, 3))
        second = shot.export(kept=(2, 5), scope="missing")
        assert second != first and sorted(path.stem for path in second.glob("*.png")) == ["shot.0002", "shot.0005"]
        whole = shot.export(scope="missing")
        assert len(list(whole.glob("*.png"))) == 6 and not (whole / "kept.txt").exists()
        shot.export(kept=(2, 5), scope="missing")
        assert shot.written == [], "all that is kept is there"
        with pytest.raises(JobError, match="holds other kept"):
            shot.export(kept=(1,), into=second.name)


class TestCommandLine:
    def test_the_list_is_what_export_takes(self, orbit: Orbit) -> None:
        folder = Path(orbit.files[0]).parent
        done = engine("select", folder, "--count", "6")
        assert done.returncode == ExitCode.OK, done.stderr
        path = Path(done.stdout.splitlines()[-1])
        assert path == folder / "shot_matte" / "kept.txt"
        names = path.read_text().splitlines()
        assert 4 <= len(names) <= 6 and f"{COUNT} frames: {len(names)} kept" in done.stdout
        blurred = {Path(orbit.files[i]).name for i in np.flatnonzero(orbit.blur)}
        assert not blurred & set(names)
        options = command_line().parse_args(["track", str(folder), "--point", "a:1:9:9", "--kept", str(path)])
        assert [Path(orbit.files[frame - 1]).name for frame in job_of(options).delivery.kept] == names

    def test_a_list_by_hand(self, orbit: Orbit, tmp_path: Path) -> None:
        footage, _ = scan(Path(orbit.files[0]).parent)
        listed = tmp_path / "list.txt"
        listed.write_text("# mine\n\n7\nshot.0003.png  # sharp\nshot.0001\n3\n")
        assert read_kept(listed, footage) == (1, 3, 7)
        for text, words in (
            ("shot.0099.png", "not an image of this"),
            ("25", "not an image"),
            ("\n", "names no image"),
        ):
            listed.write_text(text)
            with pytest.raises(JobError, match=words):
                read_kept(listed, footage)
        listed.write_bytes(b"\xff\xfe\x00")
        with pytest.raises(JobError, match="can't be read"):
            read_kept(listed, footage)
