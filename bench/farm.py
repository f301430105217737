"""Do two runners do twice the work of one, and is anything lost, wrong or there twice, whoever is killed?

    python3 vendor_setup bench farm [efficiency|kills|forks ...] [--shots 100] [--kills 200] [--seed 0] [--times FILE]

`efficiency`: two `openjd run` at once, with half of the shots each, against one with all of them, in the same run.
`kills`: two runners at once that are given a few tasks at a time, as a farm does it; a random one of the processes is
ended by SIGKILL again and again: a runner, whose orphans go on beside their successors, a task, a warm engine, or all
of a runner's at once. What has failed is given again, and in the end to runners that nobody kills.

`forks`: the same without runners, by workers that are forked, which is cheap; instead of being killed, half of them are
given up, as a machine that no longer answers, and go on beside their successors. Only when it is named.

In all, every version is compared with that of one process. Linux only: orphans are adopted.
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

_LOOK = 0.1  # seconds between two looks at the processes
_BATCH = 8  # tasks that a runner is given at most
_ORPHANS = 3  # warm engines without a runner that may live at once: memory


# -- efficiency -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Time:
    clock: float = 0.0
    processor: float = 0.0


def _run(submissions: Sequence[Submission], room: Path, time_of: _Time) -> None:
    """Runners for all of these at once, to their end."""
    clock, processor = time.monotonic(), processor_seconds()
    runners = [submission.start(room / f"runner-{submission.bundle.name}") for submission in submissions]
    codes = [runner.wait() for runner in runners]
    assert codes == [0] * len(codes), f"runners ended with {codes}: see {room}"
    time_of.clock += time.monotonic() - clock
    while descendants():  # a warm engine that has been told to quit
        time.sleep(_LOOK)
    reap(set())
    time_of.processor += processor_seconds() - processor


def efficiency(shots: Sequence[Shot], right: Files, room: Path, times: Path | None) -> list[Found]:
    """Half of the shots by one runner, then both halves by two at once, then the other half by one."""
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
    """Which tasks are to be done, as the manager of a farm knows it."""

    submission: Submission
    open: dict[int, dict[Step, list[str]]] = field(default_factory=dict)
    given: set[tuple[int, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.open = self.submission.tasks()

    def batch(self, chance: random.Random) -> tuple[Step, list[tuple[int, str]]] | None:
        """Some tasks of a step that are ready; None: nothing is."""
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
        """A runner has ended."""
        self.given.difference_update(runner.items)
        for shot, item in runner.items if done else ():
            self.open[shot][runner.step].remove(item)
            if not any(self.open[shot].values()):
                del self.open[shot]


class _Kills:
    """Ends processes at random moments, and knows what they were."""

    def __init__(self, wanted: int, chance: random.Random) -> None:
        self._wanted, self._chance = wanted, chance
        self.counts = {"runners": 0, "tasks": 0, "engines": 0, "orphans": 0}
        self._typical = 10.0  # seconds of a runner
        self._next = time.monotonic() + 2.0

    @property
    def done(self) -> int:
        return sum(self.counts.values())

    @property
    def is_over(self) -> bool:
        return self.done >= self._wanted

    def take_in(self, seconds: float) -> None:
        """So long a runner that nobody killed has taken."""
        self._typical = 0.7 * self._typical + 0.3 * seconds

    def look(self, runners: Sequence[_Runner]) -> None:
        """Kill, if it is time."""
        if self.is_over or time.monotonic() < self._next:
            return
        workers = [process for process in descendants() if process.is_task or process.is_engine]
        orphans = [
            process for process in workers if not any(f"{runner.room}/" in process.command for runner in runners)
        ]
        if not workers and not any(isinstance(runner.process, Fork) for runner in runners):
            return  # runners that have only begun: their end loses nothing
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
            if self._chance.random() < 0.3:  # the machine is lost
                for process in workers:
                    if f"{victim.room}/" in process.command:
                        self._kill(process.pid, "engines" if process.is_engine else "tasks")
        else:
            self._kill(victim.pid, "orphans" if victim in orphans else "engines" if victim.is_engine else "tasks")

    def _kill(self, pid: int, kind: str) -> None:
        self.counts[kind] += kill(pid)


Start = Callable[[Submission, Path, Step, list[str]], "subprocess.Popen[bytes] | Fork"]


def kills(shots: Sequence[Shot], right: Files, room: Path, count: int, seed: int, start: Start) -> list[Found]:
    """All shots again and again until so many were killed, then to the end."""
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
            assert len(list(version.glob("*.png"))) == FRAMES, f"{version} can be seen and is not whole"
        reap({runner.process.pid for runner in runners})
        time.sleep(_LOOK)


def main() -> int:
    """Print what was measured; returns 1 where something was lost, wrong or there twice."""
    parser = argparse.ArgumentParser(prog="bench farm", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("scenarios", nargs="*", choices=["efficiency", "kills", "forks", []], metavar="SCENARIO")
    parser.add_argument("--shots", type=int, default=100)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--times", type=Path, metavar="FILE", help="keep the seconds of tasks, for bench farm_workers")
    options = parser.parse_args()
    if not adopt_orphans():
        print("NOT CHECKED: this system gives no orphans to who asks for them")
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
