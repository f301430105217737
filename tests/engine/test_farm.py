"""Shots on a farm: bundles, tasks that are done twice or by an orphan too, and what the farms' programs read."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import toy
from PIL import Image

from addon.contract.errors import EngineError, JobError, OutputError
from addon.contract.job import Job
from addon.contract.job_types import Delivery, Mask, MatteObject, Model, Point, Prompt, StaticMask
from addon.engine.farm import bundle as bundles
from addon.engine.farm import engines, report
from addon.engine.farm.plan import Plan, items_of, job_file
from addon.engine.farm.shots import Shot
from addon.engine.farm.tasks import Task
from addon.engine.farm.worker import Worker
from addon.engine.session import Session

START = Path(engines.__file__).with_name("start.py")
PROGRAM = engines.Program(sys.executable, str(START))


@pytest.fixture(scope="module")
def shots(checkpoint: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Shot]]:
    """Two shots of three frames, one with two objects, one of which has a mask file; a static mask, too."""
    clip = toy(tmp_path_factory.mktemp("shots"))
    mask = clip.room / "mask.png"
    Image.open(clip.truth[0]).convert("L").save(mask)
    footage = clip.take(3)
    chair = MatteObject("chair", (Prompt(1, (Point(*clip.subject),)),))
    drawn = MatteObject("drawn", (Prompt(1, mask=Mask(file=str(mask))),))
    rig = clip.room / "rig.png"
    Image.new("L", (footage.width, footage.height)).save(rig)
    both = Job(
        footage,
        (chair, drawn),
        model=checkpoint,
        output=str(clip.room / "both"),
        target="masks",
        static_masks=(StaticMask(Mask(file=str(rig))),),
    )
    alone = dataclasses.replace(both, objects=(chair,), output=str(clip.room / "alone"), static_masks=())
    yield [Shot("both", both), Shot("alone", alone)]


def images(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_all_tasks_and_some_of_them_twice(shots: list[Shot], tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    plan = bundles.make(bundle, shots, 2, None)
    assert [plan.count(step) for step in ("check", "track", "export", "publish")] == [2, 3, 6, 2]
    assert Plan.load(bundle) == plan
    with pytest.raises(OutputError, match="exists already"):
        bundles.make(bundle, shots, 2, None)
    sent = bundles.load_job(bundle, plan.shots[0], None)
    mask = sent.objects[1].prompts[0].mask
    assert mask is not None
    for file in (mask.file, sent.static_masks[0].mask.file):
        assert Path(file).is_relative_to(bundle), "it travels along"

    worker, said = Worker(), []

    def run(step: str, items: str) -> int:
        return worker.run(Task(str(bundle), step, items), said.append, lambda: False)  # type: ignore[arg-type]

    both, alone = (Path(shot.job.output) for shot in shots if isinstance(shot.job, Job))
    assert run("export", "1-2") == 6, "nothing is tracked yet, and an export task does not track"
    assert "Not all of it is tracked" in said[-1]
    for step, items in (("check", "1-2"), ("track", "1-2"), ("track", "2-9"), ("export", "1-2"), ("export", "2-5")):
        assert run(step, items) == 0, said
    assert not list(both.glob("v*")), "nobody sees a version that is not whole"
    for _ in range(2):  # the second is that of a task whose end was lost
        assert run("publish", "1-2") == 0, said
    for folder in (both, alone):
        assert sorted(path.name for path in folder.glob("v*")) == ["v001", "v001.json"]
        assert len(images(folder / "v001")) == 3
        assert not list((folder / "work").glob(".pieces-*"))
    rows = report.rows_of(bundle)
    assert [(row.name, row.exit_code, row.frames) for row in rows] == [("both", 0, 3), ("alone", 0, 3)]

    # the same bytes as one process alone
    job = shots[0].job
    assert isinstance(job, Job)
    straight = Session(lambda *_: None, lambda: False).export(dataclasses.replace(job, output=str(tmp_path / "one")))[1]
    assert images(straight) == images(both / "v001")


def test_paths_of_other_machines(shots: list[Shot], tmp_path: Path) -> None:
    """Path mapping rules of Open Job Description, of Windows and POSIX; a worker of another release is refused."""
    job = shots[0].job
    assert isinstance(job, Job)
    plan = bundles.make(tmp_path / "bundle", shots[:1], 50, "cpu")
    file = job_file(tmp_path / "bundle", plan.shots[0])
    data = json.loads(file.read_text(encoding="utf-8"))
    data["footage"]["files"] = [f"P:\\Shows\\a\\{Path(name).name}" for name in data["footage"]["files"]]
    data["output"] = "/mnt/out/both"
    file.write_text(json.dumps(data), encoding="utf-8")
    rules = tmp_path / "rules.json"
    here = str(Path(job.footage.files[0]).parent)
    entries = [
        {"source_path_format": "WINDOWS", "source_path": "p:\\shows\\A", "destination_path": here},
        {"source_path_format": "POSIX", "source_path": "/mnt/out", "destination_path": str(tmp_path)},
    ]
    rules.write_text(json.dumps({"version": "pathmapping-1.0", "path_mapping_rules": entries}), encoding="utf-8")
    mapped = bundles.load_job(tmp_path / "bundle", plan.shots[0], rules)
    assert [Path(name) for name in mapped.footage.files] == [Path(name) for name in job.footage.files]
    assert mapped.matte_folder == tmp_path / "both"
    with pytest.raises(EngineError, match=r"the shots were sent from 0\.0\.1"):
        bundles.check_release(dataclasses.replace(plan, release="0.0.1"))
    assert items_of("1-3, 7,9-12", 10) == [1, 2, 3, 7, 9, 10]
    with pytest.raises(JobError):
        items_of("1-", 10)


def test_the_check_names_what_is_missing(shots: list[Shot], small: Model, tmp_path: Path) -> None:
    """A line for each shot, whatever is wrong with those before: footage, device, and a checkpoint by its sha256."""
    job = shots[1].job
    assert isinstance(job, Job)
    plate, weights = tmp_path / "plate.jpg", tmp_path / "own.pt"
    shutil.copy(job.footage.files[0], plate)
    shutil.copy(small.checkpoint, weights)
    gone = dataclasses.replace(job.footage, files=(*job.footage.files[:2], str(plate)))
    other = dataclasses.replace(small, checkpoint=str(weights), device="cpu")
    there = "mps" if sys.platform != "darwin" else "cuda"
    broken = {
        "footage": dataclasses.replace(job, footage=gone),
        "device": dataclasses.replace(job, model=dataclasses.replace(job.model, device=there)),  # type: ignore[arg-type]
        "weights": dataclasses.replace(job, model=other),
        "good": job,
    }
    bundles.make(tmp_path / "bundle", [Shot(name, sent) for name, sent in broken.items()], 50, None)
    plate.unlink()
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    said: list[str] = []
    assert Worker().run(Task(str(tmp_path / "bundle"), "check", "1-4"), said.append, lambda: False) == 4
    lines = [line for line in said if "Error: " in line]
    assert [line.partition(": Error: ")[0] for line in lines] == ["footage", "device", "weights"]
    for line, word in zip(lines, ("plate.jpg", f"has no {there}", "sha256"), strict=True):
        assert word in line and "\n" not in line


@pytest.mark.skipif(not shutil.which("node"), reason="needs Node")
def test_flamenco(shots: list[Shot], tmp_path: Path) -> None:
    """Its job type, run in Node with the objects that Flamenco's manager gives to scripts."""
    bundle = tmp_path / "bundle"
    plan = bundles.make(bundle, shots, 2, None)
    engines.tell("flamenco", bundle, plan, PROGRAM)
    script = """
    const fs = require("fs"), vm = require("vm");
    const tasks = [];
    const author = {
        Task: (name, type) => ({ name, type, commands: [], after: [],
            addCommand(command) { this.commands.push(command); },
            addDependency(task) { this.after.push(task.name); } }),
        Command: (name, parameters) => ({ name, parameters }),
    };
    const submission = JSON.parse(fs.readFileSync("submission.json"));
    vm.runInNewContext(fs.readFileSync("splat_matte.js") + "; compileJob(job)",
        { author, job: { settings: submission.settings, addTask: (task) => tasks.push(task) } });
    console.log(JSON.stringify(tasks));
    """
    told = subprocess.run(["node", "-e", script], cwd=bundle, capture_output=True, text=True, check=True)
    tasks = {task["name"]: task for task in json.loads(told.stdout)}
    assert list(tasks) == [
        "both check 1", "both track 1", "both track 2", "both export 1-2", "both export 3-3", "both publish 1",
        "alone check 2", "alone track 3", "alone export 4-5", "alone export 6-6", "alone publish 2",
    ]  # fmt: skip
    assert tasks["both export 3-3"]["after"] == ["both track 1", "both track 2"]
    assert tasks["alone publish 2"]["after"] == ["alone export 4-5", "alone export 6-6"]
    (command,) = tasks["alone track 3"]["commands"]
    assert command["parameters"]["args"][-4:] == ["task", "track", str(bundle), "3"]


def test_slurm(shots: list[Shot], tmp_path: Path) -> None:
    """The scripts, with an `sbatch` that runs its array at once."""
    if os.name == "nt":
        pytest.skip("needs a POSIX shell")
    bundle = tmp_path / "bundle"
    plan = bundles.make(bundle, shots, 2, None)
    told = tmp_path / "told.py"
    told.write_text("import sys; print(*sys.argv[1:])\n", encoding="utf-8")
    engines.tell("slurm", bundle, plan, engines.Program(sys.executable, str(told)))
    fake = tmp_path / "sbatch"
    fake.write_text('#!/bin/sh\necho "$@" >> "$BUNDLE/sent"\nwc -l < "$BUNDLE/sent"\n', encoding="utf-8")
    fake.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    sent = subprocess.run(
        ["sh", bundle / "submit.sh", "--partition=a"], env={**os.environ, "PATH": path}, check=True, capture_output=True
    )
    assert sent.stdout.split() == [b"check:", b"1", b"track:", b"2", b"export:", b"3", b"publish:", b"4"]
    lines = (bundle / "sent").read_text(encoding="utf-8").splitlines()
    assert ["--array=1-2 " in lines[0], "--array=1-3 " in lines[1], "--array=1-3 " in lines[2]] == [True] * 3
    assert ["afterany:1" in lines[1], "afterany:2" in lines[2], "afterany:3" in lines[3]] == [True] * 3
    assert lines[2].endswith(f"--partition=a {bundle}/task.sh export 2")
    environment = {**os.environ, "BUNDLE": str(bundle), "SLURM_ARRAY_TASK_ID": "3"}
    ran = subprocess.run(["sh", bundle / "task.sh", "export", "2"], env=environment, check=True, capture_output=True)
    assert ran.stdout.decode().split() == ["task", "export", str(bundle), "5-6"]


def test_openjd(shots: list[Shot], tmp_path: Path) -> None:
    """Validated by openjd-model, run by openjd-cli, with one engine that stays warm for the session."""
    room = tmp_path / "mattes"
    job = shots[1].job
    assert isinstance(job, Job)
    job = dataclasses.replace(job, output=str(room), delivery=Delivery(frame_range=(1, 2)))
    bundle = tmp_path / "bundle"
    plan = bundles.make(bundle, [Shot("shot", job)], 1, None)
    engines.tell("openjd", bundle, plan, PROGRAM)
    cli = [sys.executable, "-m", "openjd"]
    template = str(bundle / "template.json")
    subprocess.run([*cli, "check", template], check=True, capture_output=True)
    given = ["-p", f"Python={PROGRAM.python}", "-p", f"Engine={PROGRAM.start}"]
    done = subprocess.run([*cli, "run", template, *given], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert len(images(room / "v001")) == 2
    assert report.rows_of(bundle)[0].frames == 3
