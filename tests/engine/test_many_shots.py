"""Several Jobs in one go: what fails stops no other, one table and one report tell of all of them."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from addon.contract.errors import ExitCode, JobError
from addon.contract.job import Job
from addon.contract.job_types import MatteObject, Point, Prompt
from addon.engine.farm.shots import read_shots

ROOT = Path(__file__).resolve().parents[2]
FRAMES = 2


@pytest.fixture
def jobs(clip, checkpoint, tmp_path: Path) -> Path:
    """A folder of three Jobs of the same footage, to folders of their own; the second has lost a plate."""
    folder = tmp_path / "Aufnahmen & co"
    folder.mkdir()
    footage = clip.take(FRAMES)
    for name, x in (("chair_a", 0), ("chair_b", 3), ("chair_c", 6)):
        point = Point(clip.subject[0] + x, clip.subject[1])
        files = (*footage.files[:1], str(clip.room / "gone.jpg")) if name == "chair_b" else footage.files
        job = Job(
            dataclasses.replace(footage, files=files),
            (MatteObject("chair", (Prompt(1, (point,)),)),),
            model=checkpoint,
            output=str(tmp_path / f"{name}_matte"),
            target="masks",
        )
        (folder / f"{name}.json").write_text(job.to_json(), encoding="utf-8")
    return folder


def engine(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "addon.engine", *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        # two engines share the cores; mattes are kept by the number of threads, as their last bits depend on it
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "OMP_NUM_THREADS": "1"},
        check=False,
    )


def images(version: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in version.iterdir()}


def test_two_engines_and_one_broken_shot(jobs: Path, tmp_path: Path) -> None:
    broken = tmp_path / "no job.json"
    broken.write_text("{", encoding="utf-8")
    report = tmp_path / "report.json"
    done = engine("run", broken, jobs, "--jobs", 2, "--report", report)
    assert done.returncode == ExitCode.JOB, "the first that failed"
    rows = {row["name"]: row for row in json.loads(report.read_text(encoding="utf-8"))["shots"]}
    assert list(rows) == ["no job", "chair_a", "chair_b", "chair_c"]
    assert [row["exit_code"] for row in rows.values()] == [ExitCode.JOB, 0, ExitCode.FOOTAGE, 0]
    assert "not JSON" in rows["no job"]["last_words"]
    assert "gone.jpg" in rows["chair_b"]["last_words"]
    assert done.stdout.splitlines()[-1].startswith("4 shots: 2 done (4 frames, ")
    assert done.stdout.splitlines()[-1].endswith(", 2 failed")
    assert sum("failed: " in line for line in done.stdout.splitlines()) == 2
    for name in ("chair_a", "chair_c"):
        assert rows[name]["frames"] == FRAMES
        assert rows[name]["seconds"] > 0
        assert Path(rows[name]["result"]) == tmp_path / f"{name}_matte" / "v001"

    # the same bytes as each Job alone; with `changed`, a shot that is as it was gets no new version
    alone = dataclasses.replace(Job.load(jobs / "chair_c.json"), output=str(tmp_path / "alone"))
    (tmp_path / "alone.json").write_text(alone.to_json(), encoding="utf-8")
    single = engine("run", tmp_path / "alone.json", jobs / "chair_a.json", "--scope", "changed")
    assert single.returncode == ExitCode.OK, single.stdout + single.stderr
    assert images(tmp_path / "alone" / "v001") == images(tmp_path / "chair_c_matte" / "v001")
    assert sorted(path.name for path in (tmp_path / "chair_a_matte").glob("v*")) == ["v001", "v001.json"]
    assert "track 1/" not in single.stdout.partition("chair_a: begins")[2], "what is tracked is not tracked again"


def test_the_jobs_of_folders(jobs: Path, tmp_path: Path) -> None:
    assert [shot.name for shot in read_shots([jobs])] == ["chair_a", "chair_b", "chair_c"]
    twice = [shot.name for shot in read_shots([jobs / "chair_a.json", jobs])]
    assert twice[:2] == [str(jobs / "chair_a.json")] * 2, "names that are not unique are told apart by their paths"
    assert {shot.job.delivery.scope for shot in read_shots([jobs], "missing")} == {"missing"}
    (tmp_path / "empty").mkdir()
    with pytest.raises(JobError, match="no Job"):
        read_shots([tmp_path / "empty"])
