"""The parts of `bench farm`: many tiny shots, their bundle, Open Job Description's runner and the processes to kill."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from addon.checkpoints import EMBEDDED_CONFIG, EMBEDDED_WEIGHTS
from addon.contract.job import Job
from addon.contract.job_types import Footage, MatteObject, Model, Point, Prompt
from addon.engine.farm import bundle as bundles
from addon.engine.farm import engines
from addon.engine.farm.plan import STEPS, Plan, Step
from addon.engine.farm.shots import Shot
from addon.engine.farm.tasks import Task

from ._common import ROOT, demo_frames, environment

FRAMES = 3
CHUNK = 3  # frames of an export task
_SIZE = (160, 120)
_INPUT = 256  # pixels of the model's input: fast, and useless for real mattes
_SUBREAPER = 36  # prctl(2), PR_SET_CHILD_SUBREAPER
Files = dict[str, dict[str, bytes]]  # by shot, then by file name: the bytes of its version
PROGRAM = engines.Program(sys.executable, str(ROOT / "addon/engine/farm/start.py"))


def make_shots(room: Path, count: int) -> list[Shot]:
    """Write Jobs of a few tiny frames each below `room`; no two share footage."""
    text, changes = re.subn(r"(?m)^  image_size: \d+", f"  image_size: {_INPUT}", EMBEDDED_CONFIG.read_text("utf-8"))
    assert changes == 1
    room.mkdir(parents=True, exist_ok=True)
    config = room / "small.yaml"
    config.write_text(text, encoding="utf-8")
    model = Model(str(EMBEDDED_WEIGHTS), str(config), device="cpu", precision="float32", trust=True)
    width, height = _SIZE
    found = []
    for number in range(count):
        plates = room / "plates" / f"{number:03d}"
        plates.mkdir(parents=True)
        for i, file in enumerate(_frames(number)):
            with Image.open(file) as frame:
                frame.resize(_SIZE).save(plates / f"{number:03d}_{i:03d}.png")
        files = tuple(str(path) for path in sorted(plates.iterdir()))
        point = Point(width / 2 + number % 5, height / 2)
        marked = (MatteObject("a", (Prompt(1, (point,)),)),)
        job = Job(Footage(files, width, height, FRAMES), marked, model, target="masks")
        found.append(Shot(f"shot{number:03d}", job))
    return found


def _frames(number: int) -> list[Path]:
    files = demo_frames()
    return [files[(number + i * (1 + number // len(files) % 5)) % len(files)] for i in range(FRAMES)]


def to(shots: Sequence[Shot], output: Path) -> list[Shot]:
    """Return the same shots with their matte folders below `output`."""
    return [
        dataclasses.replace(shot, job=dataclasses.replace(shot.job, output=str(output / shot.name)))
        for shot in shots
        if isinstance(shot.job, Job)
    ]


def in_one_process(shots: Sequence[Shot], room: Path) -> Files:
    """Run `engine run` on all shots; return the files of each shot's version."""
    jobs = room / "jobs"
    jobs.mkdir(parents=True)
    ours = to(shots, room / "out")
    for shot in ours:
        assert isinstance(shot.job, Job)
        (jobs / f"{shot.name}.json").write_text(shot.job.to_json(), encoding="utf-8")
    subprocess.run(
        [sys.executable, "-P", "-m", "addon.engine", "run", str(jobs)],
        env=one_thread(),
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    return {shot.name: _files(room / "out" / shot.name / "v001") for shot in ours}


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}


@dataclass(frozen=True, slots=True)
class Found:
    """Errors in the versions of many shots.

    wrong: shots with other bytes than expected.
    twice: shots with a second version.
    lost: missing frames.
    """

    wrong: int
    twice: int
    lost: int

    @property
    def in_words(self) -> str:
        return f"{self.wrong} shots with wrong bytes, {self.twice} double versions, {self.lost} lost frames"


def compare(right: Files, output: Path) -> Found:
    """Compare the versions below `output` with those that one process wrote."""
    wrong = twice = lost = 0
    assert all(len(files) == FRAMES for files in right.values()), "the single process did not write all versions"
    for name, files in right.items():
        there = _files(output / name / "v001")
        lost += len(set(files) - set(there))
        wrong += any(there[file] != data for file, data in files.items() if file in there) or bool(
            set(there) - set(files)
        )
        twice += sorted(path.name for path in (output / name).glob("v*")) != ["v001", "v001.json"] and bool(there)
    return Found(wrong, twice, lost)


# -- runners ----------------------------------------------------------------------------------------------------------


def one_thread() -> dict[str, str]:
    """Return the environment of a runner or engine that uses one thread, as it shares the machine with others."""
    return {**environment(), "OMP_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Submission:
    """A bundle for Open Job Description and the folder of its mattes."""

    bundle: Path
    plan: Plan
    output: Path

    @staticmethod
    def make(shots: Sequence[Shot], room: Path, output: Path) -> Submission:
        """Write the bundle to the folder `room`, which must not exist yet."""
        plan = bundles.make(room, to(shots, output), CHUNK, None)
        engines.tell("openjd", room, plan, PROGRAM)
        return Submission(room, plan, output)

    def start(self, room: Path, step: Step | None = None, items: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """Start a runner for the whole bundle, or for some tasks of one step.

        Args:
            room: a folder for this runner alone, named in the commands of its tasks and its engine; log.txt is in it.
        """
        room.mkdir(parents=True)
        given = ["-p", f"Python={PROGRAM.python}", "-p", f"Engine={PROGRAM.start}"]
        if step:
            tasks = json.dumps([{"Item": item} for item in items])
            given += ["--step", step, "--tasks", tasks, "--no-run-dependencies"]
        with (room / "log.txt").open("ab") as out:
            return subprocess.Popen(
                [sys.executable, "-m", "openjd", "run", str(self.bundle / "template.json"), *given],
                env={**one_thread(), "TMPDIR": str(room)},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def tasks(self) -> dict[int, dict[Step, list[str]]]:
        """Return by shot (counted from 0) and step the names of its tasks, as the runner takes them."""
        found: dict[int, dict[Step, list[str]]] = {}
        tracks = frames = 0
        for i, shot in enumerate(self.plan.shots):
            exported = [
                f"{frames + begin + 1}-{frames + min(begin + CHUNK, shot.frames)}"
                for begin in range(0, shot.frames, CHUNK)
            ]
            tracked = [str(tracks + number + 1) for number in range(len(shot.objects))]
            parts = ([str(i + 1)], tracked, exported, [str(i + 1)])
            found[i] = dict(zip(STEPS, parts, strict=True))
            tracks, frames = tracks + len(shot.objects), frames + shot.frames
        return found


def task_times(log: Path) -> dict[str, list[float]]:
    """Read a runner's log: the seconds of each task by step; `start` has the seconds from launch to the first task."""
    found: dict[str, list[float]] = {step: [] for step in STEPS}
    step, begun, begins = "", 0.0, False
    for line in log.read_text(encoding="utf-8").splitlines():
        clock, _, words = line.partition("\t")
        match = re.fullmatch(r"(\d+):(\d+):(\d+\.\d+)", clock)
        if match is None:
            continue
        now = 3600 * int(match[1]) + 60 * int(match[2]) + float(match[3])
        if named := re.search(r"Running step '(\w+)'", words):
            step = named[1]
        elif "--- Running Task" in words:
            begun, begins = now, True
        elif begins and " exited with code: 0 " in words:
            found[step].append(round(now - begun, 3))
            begins = False
    return found


# -- workers without a runner -----------------------------------------------------------------------------------------


class Fork:
    """A forked worker with the interface of a Popen."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._given_up = False

    def give_up(self) -> None:
        """Treat it as lost, although it goes on."""
        self._given_up = True

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        if self._given_up:
            return -1
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None


class Forked:
    """Starts workers as forks of this process, which has already imported what they need."""

    def __init__(self) -> None:
        import cv2
        import torch

        from addon.engine.farm.worker import Worker
        from addon.engine.sam2.model import make_deterministic

        torch.set_num_threads(1)  # threads do not survive a fork
        cv2.setNumThreads(1)
        make_deterministic()
        self._worker = Worker

    def start(self, submission: Submission, room: Path, step: Step, items: Sequence[str]) -> Fork:
        """Start a worker for these tasks; the arguments are those of Submission.start."""
        pid = os.fork()
        if pid:
            return Fork(pid)
        code = 1
        try:
            task = Task(str(submission.bundle), step, ",".join(items))
            code = self._worker().run(task, lambda words: None, lambda: False)
        finally:
            os._exit(code)

    def in_one_process(self, shots: Sequence[Shot], room: Path) -> Files:
        """Run all shots in one fork; see the function of the same name."""
        from addon.engine.session import Session

        ours = to(shots, room)
        pid = os.fork()
        if not pid:
            try:
                session = Session(lambda *_: None, lambda: False)
                for shot in ours:
                    assert isinstance(shot.job, Job)
                    session.export(shot.job)
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        return {shot.name: _files(room / shot.name / "v001") for shot in ours}


# -- processes (Linux) ------------------------------------------------------------------------------------------------


def adopt_orphans() -> bool:
    """Become the parent of all orphaned descendants, so that each can be counted and ended. False: impossible."""
    return sys.platform == "linux" and bool(ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0) == 0)


@dataclass(frozen=True, slots=True)
class Process:
    """A descendant of this process. command: its command line, joined by spaces."""

    pid: int
    parent: int
    command: str

    @property
    def is_task(self) -> bool:
        """Whether it is a Python process that runs a task or asks a warm engine to."""
        return f"{PROGRAM.start} task " in self.command

    @property
    def is_engine(self) -> bool:
        """Whether it is a warm engine."""
        return f"{PROGRAM.start} warm keep " in self.command


def descendants() -> list[Process]:
    """Return all living descendants of this process."""
    about: dict[int, Process] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):
            state, parent = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[:2]
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if state != "Z":
                about[int(folder.name)] = Process(int(folder.name), int(parent), command)
    found: list[Process] = []
    known = {os.getpid()}
    while True:
        more = [process for process in about.values() if process.parent in known and process.pid not in known]
        if not more:
            return found
        found += more
        known |= {process.pid for process in more}


def kill(pid: int) -> bool:
    """End a process by SIGKILL, as when a machine is lost. Return whether it existed."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def reap(watched: set[int]) -> None:
    """Collect orphans that have ended; the `watched` children are left to their owners."""
    for pid in [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]:
        with contextlib.suppress(OSError, ValueError):
            state, parent = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[:2]
            if state == "Z" and int(parent) == os.getpid() and pid not in watched:
                os.waitpid(pid, os.WNOHANG)


def end_all() -> None:
    """End and collect all remaining descendants."""
    while left := descendants():
        for process in left:
            kill(process.pid)
        time.sleep(0.1)
        reap(set())
    reap(set())


def processor_seconds() -> float:
    """Return the processor seconds of all descendants that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
