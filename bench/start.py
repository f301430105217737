"""Measures a start of the engine, until it is ready and until its first preview, against `import torch` alone.

    python3 vendor_setup bench start [--rounds 5]

Each is a process of its own, started as Blender starts the engine; they take turns. Processor seconds show the cost of
a start whatever else the machine does. The ratio to `import torch`, which no engine can avoid, shows our own share. The
preview is a click on a demo frame with the embedded checkpoint. POSIX only: processor seconds come from wait4.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from PIL import Image

from addon.contract.job import Job
from addon.contract.job_types import Footage, MatteObject, Model, Point, Prompt
from addon.contract.protocol import decode, encode
from addon.contract.requests import Preview
from addon.runtime.locate import engine_environment

from ._common import ROOT, demo_frames

_ENGINE = ["-m", "addon.engine", "serve"]
_Cost = tuple[float, float]  # processor seconds, wall-clock seconds


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="bench start", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as room:
        job = _job(Path(room))
        ways: dict[str, Callable[[], _Cost]] = {
            "import torch": lambda: _cost(["-c", "import torch"]),
            "ready": lambda: _cost(_ENGINE),
            "first preview": lambda: _cost(_ENGINE, job),
        }
        for way in ways.values():
            way()  # warm up: fill the disk cache and compile missing .pyc files
        costs: dict[str, list[_Cost]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                costs[name].append(way())
    medians = {name: [statistics.median(times) for times in zip(*found, strict=True)] for name, found in costs.items()}
    print(f"{'':14}{'processor s':>12}{'s':>8}{'times import torch':>20}")
    for name, (processor, wall) in medians.items():
        print(f"{name:14}{processor:12.2f}{wall:8.2f}{processor / medians['import torch'][0]:20.2f}")
    return 0


def _job(room: Path) -> Job:
    frame = demo_frames()[0]
    with Image.open(frame) as opened:
        width, height = opened.size
    subject = MatteObject("subject", (Prompt(1, (Point(width / 2, height / 2),)),))
    return Job(Footage((str(frame),), width, height, 1), (subject,), model=Model(device="cpu"), output=str(room))


def _cost(arguments: list[str], job: Job | None = None) -> _Cost:
    """Return the cost of a Python process; with a `job`, of an engine until it has shown the Job's first frame."""
    began = time.monotonic()
    child = subprocess.Popen(
        [sys.executable, "-P", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env=engine_environment(ROOT),
    )
    assert child.stdin is not None and child.stdout is not None
    with child.stdin, child.stdout:
        if arguments == _ENGINE:
            _wait(child.stdout, "ready")
            if job is not None:
                child.stdin.write(encode(Preview(job, 1).to_plain(1)))
                child.stdin.flush()
                _wait(child.stdout, "done")
            seconds = time.monotonic() - began
            child.stdin.close()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed with {child.returncode}")
    if arguments != _ENGINE:
        seconds = time.monotonic() - began
    return usage.ru_utime + usage.ru_stime, seconds


def _wait(events: IO[str], wanted: str) -> None:
    for line in events:
        event: dict[str, Any] = decode(line)
        if event["event"] == wanted:
            return
        if event["event"] == "error":
            raise SystemExit(f"The engine says: {event['message']}")
    raise SystemExit(f"The engine ended before the event {wanted}.")


if __name__ == "__main__":
    sys.exit(main())
