"""Simulates farms of 8 to 64 workers with logged task times: how many workers pay off?

    python3 vendor_setup bench farm efficiency --times FILE
    python3 vendor_setup bench farm_workers FILE [--shots 100] [--frames 300] [--chunk 50] [--seed 0] [--save]

A simulated task takes as long as a task of the same step drawn from the log; the times of tracking and export are
scaled by the number of frames of the shot or chunk. A heap holds the events; a free worker takes the first task that is
ready. Efficiency of n workers is the time of one worker / (n x their time). The disk is assumed to be fast enough.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import statistics
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from addon.engine.farm.plan import STEPS, Step

from ._charts import Chart, add_option, machine
from ._farm import CHUNK, FRAMES

WORKERS = (8, 16, 24, 32, 40, 48, 56, 64)


@dataclass(frozen=True, slots=True)
class Rules:
    """How a farm's manager hands tasks to workers.

    warm: an engine lives as long as a worker's session, so only its first task waits for a start.
    together: a step starts once all shots have finished the one before; else each shot goes on by itself.
    """

    name: str
    warm: bool
    together: bool


RULES = (
    Rules("Open Job Description", warm=True, together=True),
    Rules("Slurm", warm=False, together=True),
    Rules("Flamenco", warm=False, together=False),
)
Shot = dict[Step, list[float]]  # seconds of the tasks of each step


@dataclass(frozen=True, slots=True)
class Logged:
    """Logged times: seconds of tasks by step, and of the start of an engine."""

    tasks: dict[Step, list[float]]
    start: float

    @staticmethod
    def load(file: Path) -> Logged:
        """Read the file of `bench farm --times`. The first task of a runner also waits for its engine, so it is not
        counted.
        """
        runners: list[dict[Step, list[float]]] = json.loads(file.read_text(encoding="utf-8"))
        tasks: dict[Step, list[float]] = {step: [] for step in STEPS}
        for runner in runners:
            for step in STEPS:
                tasks[step] += runner[step][step == "check" :]
        typical = statistics.median(tasks["check"])
        return Logged(tasks, statistics.mean(runner["check"][0] for runner in runners) - typical)

    def shots(self, count: int, frames: int, chunk: int, seed: int) -> list[Shot]:
        """Draw the task times of `count` shots."""
        chance = random.Random(seed)

        def drawn(step: Step, times: float) -> float:
            cheapest = min(
                self.tasks[step]
            )  # the part that does not depend on frames: starting the process that asks for the task
            least = min(cheapest, min(self.tasks["check"]))
            return least + (chance.choice(self.tasks[step]) - least) * times

        found: list[Shot] = []
        for _ in range(count):
            parts = [min(chunk, frames - begin) for begin in range(0, frames, chunk)]
            found.append(
                {
                    "check": [drawn("check", 1)],
                    "track": [drawn("track", frames / FRAMES)],
                    "export": [drawn("export", part / CHUNK) for part in parts],
                    "publish": [drawn("publish", frames / FRAMES)],
                }
            )
        return found


def simulate(shots: list[Shot], workers: int, start: float, rules: Rules) -> float:
    """Return the seconds until everything is done."""
    groups = [list(range(len(shots)))] if rules.together else [[number] for number in range(len(shots))]
    ready: deque[tuple[int, float]] = deque()  # group, seconds
    left = [0] * len(groups)
    at = [0] * len(groups)  # the current step of each group

    def begin(group: int) -> None:
        step = STEPS[at[group]]
        tasks = [seconds for shot in groups[group] for seconds in shots[shot][step]]
        left[group] = len(tasks)
        ready.extend((group, seconds) for seconds in tasks)

    for group in range(len(groups)):
        begin(group)
    idle = workers
    cold = workers  # workers that have no engine yet
    now = 0.0
    events: list[tuple[float, int]] = []  # end of a task in seconds, and its group
    while ready or events:
        while idle and ready:
            group, seconds = ready.popleft()
            idle -= 1
            waits = not rules.warm or cold > 0
            cold = max(0, cold - 1)
            heapq.heappush(events, (now + seconds + (start if waits else 0.0), group))
        now, group = heapq.heappop(events)
        idle += 1
        left[group] -= 1
        if left[group] == 0 and at[group] + 1 < len(STEPS):
            at[group] += 1
            begin(group)
    return now


def main() -> int:
    """Print a table of efficiencies."""
    parser = argparse.ArgumentParser(
        prog="bench farm_workers", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("times", type=Path, metavar="FILE", help="of bench farm --times")
    parser.add_argument("--shots", type=int, default=100)
    parser.add_argument("--frames", type=int, default=300, help="frames of each shot; default: %(default)s")
    parser.add_argument("--chunk", type=int, default=50, help="frames of an export task; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0)
    add_option(parser)
    options = parser.parse_args()
    logged = Logged.load(options.times)
    lines: dict[str, list[float | None]] = {}
    for frames in (options.frames, FRAMES):
        shots = logged.shots(options.shots, frames, options.chunk, options.seed)
        for rules in RULES:
            alone = simulate(shots, 1, logged.start, rules)
            name = f"{rules.name}, {frames} frames"
            lines[name] = [
                round(alone / workers / simulate(shots, workers, logged.start, rules), 3) for workers in WORKERS
            ]
            minutes = f"{alone / 60:.0f} minutes by one"
            print(f"{name:34} " + " ".join(f"{value:.2f}" for value in lines[name]) + f"  {minutes}")
    medians = ", ".join(f"{step} {statistics.median(logged.tasks[step]):.2f} s" for step in STEPS)
    print(f"logged: start of an engine {logged.start:.1f} s; {medians}")
    if options.save:
        Chart(
            f"Efficiency of a farm, simulated: {options.shots} shots, an object in each",
            "python3 vendor_setup bench farm_workers",
            machine(),
            "lines",
            "workers",
            "share of the ideal speed",
            WORKERS,
            lines,
        ).save("farm")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
