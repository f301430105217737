"""Tests farms: do two runners do twice the work of one, and does anything get lost, wrong or doubled when some are
killed?

    python3 vendor_setup bench farm [efficiency|kills|forks ...] [--shots 100] [--kills 200] [--seed 0] [--times FILE]

`efficiency`: one `openjd run` with all shots, and two at once with half of the shots each, in the same run.

`kills`: two runners at once that get a few tasks at a time, as on a farm. Random processes are ended by SIGKILL: a
runner, whose orphans go on beside their successors; a task; a warm engine; or everything of a runner at once. Failed
tasks are handed out again, in the end to runners that nobody kills.

`forks`: the same without runners, by forked workers, which is cheaper; it runs only when named. Instead of being
killed, half of them are treated as lost, like a machine that no longer answers, and go on beside their successors.

Every version is compared with that of a single process. Linux only, as this process adopts the orphans.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from addon.engine.farm.plan import STEPS, Step
from addon.engine.farm.shots import Shot

from ._farm import (
    FRAMES,
    Files,
    Fork,
    Forked,
    Found,
    Process,
    Submission,
    adopt_orphans,
    compare,
    descendants,
    end_all,
    in_one_process,
    kill,
    make_shots,
    processor_seconds,
    reap,
    task_times,
)

_LOOK = 0.1  # seconds between two checks of the processes
_BATCH = 8  # most tasks that a runner gets at once
_ORPHANS = 3  # most warm engines without a runner at a time, because of memory


# -- efficiency -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Time:
    clock: float = 0.0
    processor: float = 0.0


def _run(submissions: Sequence[Submission], room: Path, time_of: _Time) -> None:
    """Run all of these at once, each by its own runner, to the end."""
    clock, processor = time.monotonic(), processor_seconds()
    runners = [submission.start(room / f"runner-{submission.bundle.name}") for submission in submissions]
    codes = [runner.wait() for runner in runners]
    assert codes == [0] * len(codes), f"runners ended with exit codes {codes}; their logs are in {room}"
    time_of.clock += time.monotonic() - clock
    while descendants():  # warm engines that have been told to quit
        time.sleep(_LOOK)
    reap(set())
    time_of.processor += processor_seconds() - processor


def efficiency(shots: Sequence[Shot], right: Files, room: Path, times: Path | None) -> list[Found]:
    """Run the first half of the shots by one runner, then both halves by two at once, then the second half by one."""
    middle = len(shots) // 2
    halves = (shots[:middle], shots[middle:])
    one, two = _Time(), _Time()

    def submissions(name: str) -> list[Submission]:
        return [
            Submission.make(half, room / f"{name}{number}", room / f"{name}-out") for number, half in enumerate(halves)
        ]

    alone, together = submissions("alone"), submissions("together")
    _run(alone[:1], room, one)
    _run(together, room, two)
    _run(alone[1:], room, one)
    load = os.getloadavg()[1]
    print(
        f"one runner: {one.clock:.0f} s, {one.processor:.0f} processor seconds; two at once: {two.clock:.0f} s, "
        f"{two.processor:.0f} processor seconds; load {load:.1f} on {os.cpu_count()} cores"
    )
    print(
        f"efficiency of two: {one.clock / two.clock / 2:.2f} of twice one by the clock, "
        f"{one.processor / two.processor:.2f} in processor seconds"
    )
    if times is not None:
        found = [task_times(room / f"runner-{submission.bundle.name}" / "log.txt") for submission in alone]
        times.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return [compare(right, room / "alone-out"), compare(right, room / "together-out")]


# -- kills ------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Runner:
    process: subprocess.Popen[bytes] | Fork
    room: Path
    step: Step
    items: list[tuple[int, str]]  # shot, task
    began: float


@dataclass(slots=True)
class _Queue:
    """The tasks that are left, as a farm's manager keeps them."""

    submission: Submission
    open: dict[int, dict[Step, list[str]]] = field(default_factory=dict)
    given: set[tuple[int, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.open = self.submission.tasks()

    def batch(self, chance: random.Random) -> tuple[Step, list[tuple[int, str]]] | None:
        """Return some tasks of one step that are ready; None if there are none."""
        ready: dict[Step, list[tuple[int, str]]] = {}
        for shot, steps in self.open.items():
            step = next(step for step in STEPS if steps[step])
            ready.setdefault(step, []).extend((shot, item) for item in steps[step] if (shot, item) not in self.given)
        possible = [step for step, items in ready.items() if items]
        if not possible:
            return None
        step = chance.choice(possible)
        items = chance.sample(ready[step], min(_BATCH, len(ready[step])))
        self.given.update(items)
        return step, items

    def back(self, runner: _Runner, *, done: bool) -> None:
        """Take note that a runner has ended; unless `done`, its tasks are to be done again."""
        self.given.difference_update(runner.items)
        for shot, item in runner.items if done else ():
            self.open[shot][runner.step].remove(item)
            if not any(self.open[shot].values()):
                del self.open[shot]


class _Kills:
    """Kills processes at random moments and counts them by kind."""

    def __init__(self, wanted: int, chance: random.Random) -> None:
        self._wanted, self._chance = wanted, chance
        self.counts = {"runners": 0, "tasks": 0, "engines": 0, "orphans": 0}
        self._typical = 10.0  # seconds that a runner takes
        self._next = time.monotonic() + 2.0

    @property
    def done(self) -> int:
        return sum(self.counts.values())

    @property
    def is_over(self) -> bool:
        return self.done >= self._wanted

    def take_in(self, seconds: float) -> None:
        """Take note of the seconds that a runner took which nobody killed."""
        self._typical = 0.7 * self._typical + 0.3 * seconds

    def look(self, runners: Sequence[_Runner]) -> None:
        """Kill a process if its time has come."""
        if self.is_over or time.monotonic() < self._next:
            return
        workers = [process for process in descendants() if process.is_task or process.is_engine]
        orphans = [
            process for process in workers if not any(f"{runner.room}/" in process.command for runner in runners)
        ]
        if not workers and not any(isinstance(runner.process, Fork) for runner in runners):
            return  # only runners that have just begun: killing them loses nothing
        self._next = time.monotonic() + self._chance.uniform(0, 0.5 * self._typical)
        engines = [process for process in orphans if process.is_engine]
        if len(engines) > _ORPHANS:
            self._kill(engines[0].pid, "orphans")
            return
        living: list[Process | _Runner] = [*workers, *runners]
        victim = self._chance.choice(living)
        if isinstance(victim, _Runner) and isinstance(victim.process, Fork) and self._chance.random() < 0.5:
            victim.process.give_up()
            self.counts["orphans"] += 1
        elif isinstance(victim, _Runner):
            self._kill(victim.process.pid, "runners")
            if self._chance.random() < 0.3:  # as if the machine was lost
                for process in workers:
                    if f"{victim.room}/" in process.command:
                        self._kill(process.pid, "engines" if process.is_engine else "tasks")
        else:
            self._kill(victim.pid, "orphans" if victim in orphans else "engines" if victim.is_engine else "tasks")

    def _kill(self, pid: int, kind: str) -> None:
        self.counts[kind] += kill(pid)


Start = Callable[[Submission, Path, Step, list[str]], "subprocess.Popen[bytes] | Fork"]


def kills(shots: Sequence[Shot], right: Files, room: Path, count: int, seed: int, start: Start) -> list[Found]:
    """Submit all shots again and again until `count` processes were killed, then let the last submission finish."""
    chance = random.Random(seed)
    killing = _Kills(count, chance)
    found: list[Found] = []
    while not found or not killing.is_over:
        submission = Submission.make(shots, room / f"bundle{len(found)}", room / f"out{len(found)}")
        _to_the_end(_Queue(submission), killing, chance, room / f"runners{len(found)}", start)
        found.append(compare(right, submission.output))
        print(f"  {killing.done} kills so far: {found[-1].in_words}", flush=True)
    named = ", ".join(f"{number} {kind}" for kind, number in killing.counts.items())
    print(f"{killing.done} kills ({named}) in {len(found)} submissions of {len(shots)} shots")
    return found


def _to_the_end(tasks: _Queue, killing: _Kills, chance: random.Random, room: Path, start: Start) -> None:
    runners: list[_Runner] = []
    number = 0
    while tasks.open:
        for runner in list(runners):
            code = runner.process.poll()
            if code is not None:
                runners.remove(runner)
                tasks.back(runner, done=code == 0)
                if code == 0:
                    killing.take_in(time.monotonic() - runner.began)
        while len(runners) < 2 and (batch := tasks.batch(chance)):
            number += 1
            own = room / f"{number:04d}"
            process = start(tasks.submission, own, batch[0], [item for _, item in batch[1]])
            runners.append(_Runner(process, own, *batch, time.monotonic()))
        killing.look(runners)
        for version in [path for path in tasks.submission.output.glob("*/v[0-9]*") if path.is_dir()]:
            assert len(list(version.glob("*.png"))) == FRAMES, f"{version} is visible but incomplete"
        reap({runner.process.pid for runner in runners})
        time.sleep(_LOOK)


def main() -> int:
    """Print the measurements; return 1 if anything was lost, wrong or doubled."""
    parser = argparse.ArgumentParser(prog="bench farm", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("scenarios", nargs="*", choices=["efficiency", "kills", "forks", []], metavar="SCENARIO")
    parser.add_argument("--shots", type=int, default=100)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--times", type=Path, metavar="FILE", help="write the seconds of the tasks to this file, for bench farm_workers"
    )
    options = parser.parse_args()
    if not adopt_orphans():
        print("NOT CHECKED: on this system, a process can't adopt orphans")
        return 0
    found: list[Found] = []
    with tempfile.TemporaryDirectory() as folder:
        room = Path(folder)
        shots = make_shots(room / "shots", options.shots)
        try:
            if options.scenarios == ["forks"]:
                forked = Forked()
                right = forked.in_one_process(shots, room / "one")
                found += kills(shots, right, room / "forks", options.kills, options.seed, forked.start)
            else:
                right = in_one_process(shots, room / "one")
                if "efficiency" in (options.scenarios or ("efficiency",)):
                    found += efficiency(shots, right, room / "efficiency", options.times)
                if "kills" in (options.scenarios or ("kills",)):
                    found += kills(shots, right, room / "kills", options.kills, options.seed, Submission.start)
        finally:
            end_all()
    whole = Found(*(sum(values) for values in zip(*((f.wrong, f.twice, f.lost) for f in found), strict=True)))
    print(f"{len(found)} times {len(shots)} shots: {whole.in_words}")
    return int(whole != Found(0, 0, 0))


if __name__ == "__main__":
    sys.exit(main())
