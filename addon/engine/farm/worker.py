"""Runs the items of a step one after the other in one warm session.

A failing item stops no other. Each leaves a file in the bundle's report, from which the row of its shot is made.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ...contract.boundary import unexpected
from ...contract.disk import write_data
from ...contract.errors import ExitCode
from ...contract.job import Job
from ...contract.job_types import Finishing
from ...contract.layout import work_folder
from ...contract.protocol import Stage
from ..session import Session
from .bundle import check_release, load_job
from .plan import Plan, PlannedShot, Step, items_of
from .report import Row
from .tasks import Task

_PATIENCE = 3600.0  # seconds to wait for an orphan with the same item, whose results can be used

Say = Callable[[str], None]


class Worker:
    """Runs tasks, one at a time."""

    def __init__(self) -> None:
        self._say: Say = print
        self._stopping: Callable[[], bool] = lambda: False
        self._share: Callable[[Stage, int, int], None] = lambda stage, done, total: None
        self._session = Session(
            lambda stage, done, total, frame: self._share(stage, done, total),
            lambda: self._stopping(),
            on_warning=lambda words: self._say(f"Warning: {words}"),
            patience=_PATIENCE,
        )

    def run(self, task: Task, say: Say, stopping: Callable[[], bool]) -> int:
        """Run a task; return OK, or the exit code of the first item that failed."""
        self._say, self._stopping = say, stopping
        code: int = ExitCode.OK
        try:
            bundle = Path(task.bundle)
            plan = Plan.load(bundle)
            check_release(plan)
            items = items_of(task.items, plan.count(task.step))
        except Exception as error:
            return self._tell(error)
        pieces = list(_pieces(plan, task.step, items))
        for number, (shot, what) in enumerate(pieces):
            self._share = _Progress(say, task, number, len(pieces)).show
            began = time.monotonic()
            row = Row(shot.name)
            try:
                job = load_job(bundle, shot, Path(task.rules) if task.rules else None)
                row = dataclasses.replace(self._carry_out(job, task.step, what), name=shot.name)
            except Exception as error:
                told = self._tell(error, f"{shot.name}: ")
                code = code or told
                row = Row.of_error(shot.name, unexpected(error))
            row = dataclasses.replace(row, seconds=round(time.monotonic() - began, 2))
            _keep(bundle, task.step, shot, what, row)
            if row.exit_code == ExitCode.CANCELLED:
                break
        return code

    def _tell(self, error: Exception, before: str = "") -> int:
        known = unexpected(error)
        self._say(f"{before}Error: {known}")
        return int(known.exit_code)

    def _carry_out(self, job: Job, step: Step, what: str | range) -> Row:
        if step == "check":
            self._session.check(job)
            return Row("")
        if step == "track":
            tracked = self._session.track(_only(job, str(what)) if what else job)
            return Row("", frames=len(tracked.frames), suspects=sum(map(len, tracked.suspects.values())))
        if not job.target:
            return Row("", result=str(work_folder(job.matte_folder)))
        if step == "export":
            assert isinstance(what, range)
            return Row("", frames=self._session.export_ahead(job, what))
        tracked, folder = self._session.export(job)
        return Row("", 0, len(tracked.frames), sum(map(len, tracked.suspects.values())), result=str(folder))


def _pieces(plan: Plan, step: Step, items: list[int]) -> Iterator[tuple[PlannedShot, str | range]]:
    """Yield the shot of each item with the name of an object, a range of frames, or an empty name."""
    if step == "track":
        yield from map(plan.track, items)
    elif step == "export":
        yield from plan.pieces(items)
    else:
        yield from ((plan.shots[item - 1], "") for item in items)


def _only(job: Job, name: str) -> Job:
    """Return a Job with one object only, without finishing, which the export applies. Its mattes do not depend on the
    others.
    """
    objects = tuple(
        dataclasses.replace(matte_object, finishing=Finishing(), export=True)
        for matte_object in job.objects
        if matte_object.name == name
    )
    return dataclasses.replace(job, objects=objects, target="")


class _Progress:
    """Reports progress, at most one line per tenth of an item."""

    def __init__(self, say: Say, task: Task, number: int, count: int) -> None:
        self._say, self._task, self._number, self._count = say, task, number, count
        self._last: tuple[Stage, int] | None = None

    def show(self, stage: Stage, done: int, total: int) -> None:
        step = (stage, done * 10 // total)
        if step == self._last or stage == "model":
            return
        self._last = step
        if self._task.openjd:
            self._say(f"openjd_progress: {100 * (self._number + done / total) / self._count:.1f}")
            self._say(f"openjd_status: {stage} {done}/{total}")
        else:
            self._say(f"{stage} {done}/{total}")


def _keep(bundle: Path, step: Step, shot: PlannedShot, what: str | range, row: Row) -> None:
    part = f"{what[0]:06d}" if isinstance(what, range) else str(list(shot.objects).index(what)) if what else "0"
    path = bundle / "report" / f"{step}-{shot.name}-{part}.json"
    text = json.dumps(dataclasses.asdict(row), ensure_ascii=False).encode()
    write_data(path, text, sync=False)
