"""`test`: runs linters, type checks and tests, each in its own environment."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import IO

from addon.runtime.locate import PYTHON_VARIABLE
from addon.runtime.processes import quiet_environment

from . import gui
from .environments import BLENDERS, ENGINE, QUICK, ROOT, TYPES, Environment, prepare, python_of
from .pythons import SUPPORTED, find_pythons
from .say import say

_AT_ONCE = min(2, os.cpu_count() or 1)  # checks at once: they often wait for processes that they start
_TALKS = Lock()
_NOTHING_COLLECTED = 5  # pytest's exit code if -k selects no test of a part


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a check.

    code: its exit code.
    seconds: wall-clock time.
    processor: processor time in seconds, with all processes that it waited for; None if the system doesn't report it.
    """

    check: Check
    code: int
    seconds: float
    processor: float | None


@dataclass(frozen=True, slots=True)
class Check:
    """One command of a part, which runs with the Python of its environment."""

    part: str
    environment: Environment
    arguments: tuple[str, ...]

    @property
    def environments(self) -> tuple[Environment, ...]:
        """The environments it needs. Blender's tests start the engine, and mypy finds torch in its environment."""
        return (self.environment,) if self.environment is QUICK else (ENGINE, self.environment)

    @property
    def is_pytest(self) -> bool:
        """Whether it runs pytest and takes its arguments."""
        return self.arguments[1] == "pytest"

    @property
    def has_window(self) -> bool:
        """Whether it runs stories in Blender's window."""
        return self.part.startswith("gui")

    def command(self, extra: Sequence[str] = ()) -> list[str]:
        """The command line, with `extra` arguments at its end."""
        return [str(python_of(self.environment)), *self.arguments, *extra]

    def __str__(self) -> str:
        return f"{' '.join(self.arguments[1:])} ({self.environment.name})"


def all_checks(blenders: Sequence[Environment]) -> list[Check]:
    """All checks, the longest first, then the quickest ones; Blender's tests run once for every one of `blenders`."""
    return [
        Check("engine", ENGINE, ("-m", "pytest", "tests/engine")),
        Check("lint", QUICK, ("-m", "ruff", "check", ".")),
        Check("lint", QUICK, ("-m", "ruff", "format", "--check", ".")),
        Check("types", TYPES, ("-m", "mypy", ".")),
        Check("unit", QUICK, ("-m", "pytest", "tests/unit")),
        Check("setup", ENGINE, ("-m", "pytest", "tests/setup")),
        *(Check("blender", environment, ("-m", "pytest", "tests/blender")) for environment in blenders),
        Check("gui", ENGINE, ("-m", "vendor_setup.gui", *gui.SHORT)),
        Check("gui-long", ENGINE, ("-m", "vendor_setup.gui", *gui.LONG, *gui.LANGUAGES, *gui.COMMANDS)),
    ]


PARTS = tuple(dict.fromkeys(check.part for check in all_checks(BLENDERS)))


def child_environment() -> dict[str, str]:
    """The environment variables of a check. Bytecode is always cached, because a check starts hundreds of processes."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return quiet_environment(inherited) | {PYTHON_VARIABLE: str(python_of(ENGINE))}


def choose(arguments: Sequence[str], checks: Sequence[Check]) -> tuple[list[Check], list[str]]:
    """Split arguments into the checks of the named parts (all but the long stories if none is named) and pytest's.

    If there are arguments for pytest, only checks that run pytest are selected.
    """
    rest = list(arguments)
    parts = set()
    while rest and rest[0] in PARTS:
        parts.add(rest.pop(0))
    chosen = [
        check
        for check in checks
        if (check.part in parts if parts else check.part != "gui-long") and (not rest or check.is_pytest)
    ]
    return chosen, rest


def test(arguments: Sequence[str]) -> int:
    """Run all selected checks, even if one fails. Returns 0 if all passed."""
    # If there is no supported Python, the first of the supported versions is fetched.
    versions = list(find_pythons()) or SUPPORTED[:1]
    blenders = [environment for environment in BLENDERS if environment.python in versions]
    checks, pytest_arguments = choose(arguments, all_checks(blenders))
    prepare(list(dict.fromkeys(environment for check in checks for environment in check.environments)))
    run = partial(_run, pytest_arguments=pytest_arguments, quietly=len(checks) > 1)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        results = list(pool.map(run, (check for check in checks if not check.has_window)))
    results += map(run, (check for check in checks if check.has_window))  # one at a time
    say("\n=== Summary")
    for result in results:
        outcome = _outcome(result.check, result.code, pytest_arguments)
        say(f"{outcome} {result.seconds:6.1f} s {_in_words(result.processor)}  {result.check}")
    counted = [result.processor for result in results if result.processor is not None]
    if len(counted) > 1:
        say(f"{sum(counted) / 60:.1f} minutes of processor time in all")
    return 0 if all(_passed(result.check, result.code, pytest_arguments) for result in results) else 1


def _in_words(processor: float | None) -> str:
    return "" if processor is None else f"{processor:7.1f} s of a processor"


def _outcome(check: Check, code: int, pytest_arguments: Sequence[str]) -> str:
    if check.has_window and code == gui.NOT_RUN:
        return "NOT RUN"
    return "ok     " if _passed(check, code, pytest_arguments) else "FAILED "


def _passed(check: Check, code: int, pytest_arguments: Sequence[str]) -> bool:
    if check.has_window:
        return code in (0, gui.NOT_RUN)
    return code == 0 or (code == _NOTHING_COLLECTED and bool(pytest_arguments) and check.is_pytest)


def _run(check: Check, pytest_arguments: Sequence[str], *, quietly: bool) -> Result:
    """Run a check. quietly: print its output at its end, in one piece."""
    command = check.command(pytest_arguments if check.is_pytest else ())
    if not quietly:
        return _timed(check, command, None)
    with tempfile.TemporaryFile() as output:
        say(f"... {check}")
        result = _timed(check, command, output)
        output.seek(0)
        with _TALKS:
            say(f"\n=== {check}")
            sys.stdout.buffer.write(output.read())
            sys.stdout.flush()
    return result


def _timed(check: Check, command: list[str], output: IO[bytes] | None) -> Result:
    start = partial(subprocess.Popen, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    began = time.monotonic()
    with start(command, cwd=ROOT, env=child_environment()) as process:
        if sys.platform == "win32":
            return Result(check, process.wait(), time.monotonic() - began, None)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return Result(check, process.returncode, time.monotonic() - began, used.ru_utime + used.ru_stime)
