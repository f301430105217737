"""The engine's command line: `python -m addon.engine VERB ...`.

Blender starts the engine with `serve`. `run` carries out one Job file, or several with a table at the end. `track`,
`transients`, `things` and `parts` make the Job from their arguments. The last line of their output is the folder of the
finished version, or of the matte store if nothing is exported. `review` lists the suspects in the tracked mattes of a
Job file, and `repair` writes the Job with prompts for them. Exit codes are those of errors.ExitCode.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import gc
import math
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

# Libraries read these variables when they are imported, so they are set first. Waiting threads must not spin, and
# cuBLAS is deterministic only with a workspace of its own.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

from ..contract.boundary import unexpected
from ..contract.disk import free_name, write_data, writing
from ..contract.errors import ExitCode, JobError, MatteError
from ..contract.job import Job
from ..contract.job_types import Footage
from ..contract.layout import work_folder
from ..contract.protocol import Stage
from ..contract.suspects import Suspect
from ..runtime import log_file
from ..runtime.locate import CURRENT
from ..runtime.lock import use
from ..runtime.user_folder import user_folder
from .arguments import command_line, footage_of, job_of, range_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .farm.worker import Worker


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns the exit code."""
    options = command_line().parse_args(arguments)
    runtime = Path(sys.prefix)
    if (runtime.parent / CURRENT).is_file():  # made by the installer, which may install a newer one
        with contextlib.suppress(OSError):
            use(runtime)
    if options.command == "serve":
        _import_torch()
        from .sam2.model import make_deterministic
        from .serve import serve

        make_deterministic()
        return serve()
    log_file.register()
    try:
        if (command := _COMMANDS.get(options.command)) is not None:
            return command(options)
        job = job_of(options)
        if options.save_job:
            _save(job, options.save_job.absolute())
            print(options.save_job)
            return ExitCode.OK
        return _carry_out(job)
    except BrokenPipeError:  # the reader of the progress has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.CANCELLED
    except Exception as error:
        known = unexpected(error)
        log = f" It is {log_file.log_file()}." if known.exit_code == ExitCode.UNEXPECTED else ""
        print(f"Error: {known}{log}", file=sys.stderr)
        return known.exit_code


def _import_torch() -> None:
    """Import torch with garbage collection off, as none of it is garbage: collecting took a quarter of a start."""
    gc.disable()
    import torch  # noqa: F401

    gc.freeze()
    gc.enable()


def _test(options: argparse.Namespace) -> int:
    from ..runtime.measured import read, write

    _import_torch()
    from .sam2.model import make_deterministic
    from .self_test import self_test

    make_deterministic()
    measured = self_test(options.device, read(user_folder()))
    write(user_folder(), measured)
    print(measured.words)
    return ExitCode.OK


def _save(job: Job, path: Path) -> None:
    with writing(path.parent):
        write_data(path, job.to_json().encode())


def _stop_on_signals() -> threading.Event:
    """An event that is set when a user or a farm asks the process to end."""
    stop = threading.Event()

    def on_signal(signum: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    return stop


def _run(options: argparse.Namespace) -> int:
    from .farm import report, shots

    if options.jobs < 1:
        raise JobError(f"The number of engines can't be {options.jobs}.", where="--jobs", hint="Give at least 1.")
    found = shots.read_shots([path.absolute() for path in options.job], options.scope)
    if len(found) == 1 and options.report is None:
        (shot,) = found
        if isinstance(shot.job, MatteError):
            raise shot.job
        return _carry_out(shot.job)
    stop = _stop_on_signals()
    rows = shots.run(found, options.jobs, lambda words: print(words, flush=True), stop.is_set)
    if options.report is not None:
        report.write(options.report.absolute(), rows)
    print(report.in_words(rows))
    return report.exit_code(rows)


def _farm(options: argparse.Namespace) -> int:
    from .farm import shots
    from .farm.submit import submit

    if options.chunk < 1:
        raise JobError(f"A task of {options.chunk} frames does nothing.", where="--chunk", hint="Give at least 1.")
    found = shots.read_shots([path.absolute() for path in options.job], options.scope)
    first = options.job[0].absolute()
    folder = options.bundle.absolute() if options.bundle else first.with_name(f"{first.stem}_{options.to}")
    done = submit(
        found,
        folder,
        options.to,
        lambda words: print(f"Warning: {words}", file=sys.stderr),
        chunk=options.chunk,
        device=options.device,
        runtime=options.runtime and options.runtime.absolute(),
        code=options.code and options.code.absolute(),
        manager=options.manager,
    )
    counts = f"{len(done.plan.shots)} shots, {done.plan.count('track')} tracks, {done.plan.count('export')} frames."
    print(f"{counts} Send it with:\n{done.words}" if done.words else f"{counts} Sent to {options.manager}.")
    print(folder)
    return ExitCode.OK


def _task(options: argparse.Namespace) -> int:
    from .farm import warm
    from .farm.tasks import Task

    rules = str(options.map.absolute()) if options.map else ""
    task = Task(str(options.bundle.absolute()), options.step, options.items, rules, options.openjd)
    stop = _stop_on_signals()
    code = warm.run(task, stop.is_set)
    if code is None:
        code = _worker().run(task, lambda words: print(words, flush=True), stop.is_set)
    return code


def _warm(options: argparse.Namespace) -> int:
    from .farm import warm

    folder = options.folder.absolute()
    if options.verb == "keep":
        return warm.keep(folder, _worker())
    if options.verb == "start":
        warm.start(folder)
    else:
        warm.stop(folder)
    return ExitCode.OK


def _worker() -> Worker:
    _import_torch()
    from .farm.worker import Worker
    from .sam2.model import make_deterministic

    make_deterministic()
    return Worker()


def _report(options: argparse.Namespace) -> int:
    from .farm import report

    rows = report.rows_of(options.bundle.absolute())
    if options.report is not None:
        report.write(options.report.absolute(), rows)
    print(report.in_words(rows))
    return report.exit_code(rows)


def _carry_out(job: Job) -> int:
    _import_torch()
    from .export.both_sets import settings_of_programs
    from .sam2.model import make_deterministic
    from .session import Session

    stop = _stop_on_signals()
    make_deterministic()
    session = Session(
        _Printer().show, stop.is_set, on_warning=lambda words: print(f"Warning: {words}", file=sys.stderr)
    )
    if job.target:
        tracked, folder = session.export(job)
    else:
        tracked, folder = session.track(job), work_folder(job.matte_folder)
    _print_suspects(tracked.suspects)
    print(f"{len(tracked.frames)} frames, {tracked.model}, tracked in {tracked.seconds:.1f} s")
    for line in settings_of_programs(folder) if job.target else ():
        print(line)
    print(folder)
    while not stop.is_set() and session.tidy():
        pass
    return ExitCode.OK


def _review(options: argparse.Namespace) -> int:
    job = Job.load(options.job)
    _import_torch()
    from .session import Session

    _print_suspects(Session(_Printer().show, lambda: False).review(job, options.poses))
    return ExitCode.OK


def _repair(options: argparse.Namespace) -> int:
    _import_torch()
    from .review.repair import with_repairs
    from .sam2.model import make_deterministic
    from .session import Session

    path: Path = options.job.absolute()
    job = Job.load(path)
    output: Path = (options.output or path.with_name(f"{path.stem}_repaired.json")).absolute()
    if output == path:
        raise JobError("It would replace the Job.", where="--output", hint="Name another file.")
    make_deterministic()
    repairs = Session(_Printer().show, _stop_on_signals().is_set).repair(job, options.poses)
    _save(with_repairs(job, repairs), output)
    for name, found in repairs.items():
        for offer in found.offers:
            print(f"  {name}, frame {offer.frame}: repaired: {offer.reason}")
        for refusal in found.refusals:
            print(f"  {name}, {refusal.in_words()}")
    print(f"{sum(len(found.offers) for found in repairs.values())} frames repaired")
    print(output)
    return ExitCode.OK


def _clean(options: argparse.Namespace) -> int:
    from .splats.clean_file import clean_file
    from .splats.version_mattes import open_version

    printer = _Printer()
    done = clean_file(
        options.splat.absolute(),
        options.poses.absolute(),
        open_version(options.mattes.absolute()),
        views=options.views,
        remove_floaters=options.remove_floaters,
        write=not options.count,
        output=options.output and options.output.absolute(),
        on_frame=functools.partial(printer.show, "clean"),
    )
    are = "would be" if options.count else "are"
    print(f"{done.gaussians} Gaussians, {done.cameras} cameras: {done.outside} lie outside and {are} removed")
    print(f"{done.floaters} floaters {are} {'removed, too' if options.remove_floaters else 'kept'}")
    if done.file is not None:
        print(done.file)
    return ExitCode.OK


def _select(options: argparse.Namespace) -> int:
    from ..contract.layout import KEPT_LIST, default_matte_folder
    from .footage.footage import Reader
    from .selection.kept_list import kept_list
    from .session import Session
    from .splats.version_mattes import open_version

    footage = footage_of(options)
    frames = _frames_of(options, footage)
    for name in ("count", "every"):
        if getattr(options, name) < 0:
            raise JobError("It can't be negative.", where=f"--{name}")
    count = math.ceil(len(frames) / options.every) if options.every else options.count
    version = open_version(options.mattes.absolute()) if options.mattes else None
    known = set(version.frames()) if version else set()

    def subject(frame: int) -> NDArray[np.bool_] | None:
        return version.matte(frame) if version and frame in known else None

    choice = Session(_Printer().show, lambda: False).chosen(footage, frames, count, subject)
    names = kept_list(Reader(footage), choice.kept)
    path = (options.list or free_name(default_matte_folder(footage) / KEPT_LIST)).absolute()
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_data(path, names)
    between = len(frames) - len(choice.kept) - len(choice.blurred) - len(choice.duplicates)
    print(f"{len(frames)} frames: {len(choice.kept)} kept; dropped: {len(choice.blurred)} blurred, ", end="")
    print(f"{len(choice.duplicates)} near-duplicates, {between} between others")
    print(path)
    return ExitCode.OK


def _find_static(options: argparse.Namespace) -> int:
    from ..contract.layout import STATIC_MASK, default_matte_folder
    from .session import Session

    footage = footage_of(options)
    path = (options.mask or free_name(default_matte_folder(footage) / STATIC_MASK)).absolute()
    frames = _frames_of(options, footage)
    for file in Session(_Printer().show, lambda: False).find_static(footage, frames, path):
        print(file)
    return ExitCode.OK


def _frames_of(options: argparse.Namespace, footage: Footage) -> range:
    """The clip frames of --range, or all. Raises JobError."""
    from ..contract.job_checks import check_range

    within = range_of(options.range, "--range")
    check_range(within, footage, "--range")
    return range(within[0], within[1] + 1) if within else range(1, footage.frame_count + 1)


def _print_suspects(found: dict[str, list[Suspect]]) -> None:
    """Print the suspects of all objects, the worst first."""
    ordered = sorted(((name, run) for name, runs in found.items() for run in runs), key=lambda pair: -pair[1].doubt)
    print(f"{len(ordered)} suspects" + (", worst first:" if ordered else ""))
    for name, run in ordered:
        print(f"  {name}, {run.in_words()}")


class _Printer:
    """Prints progress as lines, at most one for each per cent of a stage."""

    def __init__(self) -> None:
        from .progress import Clock

        self._clock = Clock()
        self._last: tuple[Stage, int] | None = None

    def show(self, stage: Stage, done: int, total: int, frame: int) -> None:
        left = self._clock.seconds_left(stage, done, total)
        step = (stage, done * 100 // total)
        if step == self._last or stage == "model":
            return
        self._last = step
        time_left = "" if left is None else f", {int(left) // 60}:{int(left) % 60:02d} left"
        print(f"{stage} {done}/{total}, frame {frame}{time_left}", flush=True)


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {  # beside `serve`, and those that make a Job
    "self-test": _test,
    "clean": _clean,
    "select": _select,
    "static": _find_static,
    "review": _review,
    "repair": _repair,
    "run": _run,
    "farm": _farm,
    "task": _task,
    "warm": _warm,
    "report": _report,
}


if __name__ == "__main__":
    sys.exit(main())
