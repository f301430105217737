"""`test`: linters, types and the tests, each in the environment where it belongs."""

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

_AT_ONCE = min(2, os.cpu_count() or 1)  # checks: they wait a lot, for processes that they start and stop
_TALKS = Lock()
_NOTHING_COLLECTED = 5  # pytest's exit code: what was asked for (-k) is in another part


@dataclass(frozen=True, slots=True)
class Result:
    """How a check went.

    seconds: by the clock.
    processor: seconds of processors, of everything that it started and waited for; None where the system doesn't say.
    """

    check: Check
    code: int
    seconds: float
    processor: float | None


@dataclass(frozen=True, slots=True)
class Check:
    """One command of a part, run with the Python of its environment."""

    part: str
    environment: Environment
    arguments: tuple[str, ...]

    @property
    def environments(self) -> tuple[Environment, ...]:
        """What has to be there: the engine is what Blender's tests start, and what mypy finds torch in."""
        return (self.environment,) if self.environment is QUICK else (ENGINE, self.environment)

    @property
    def is_pytest(self) -> bool:
        """Whether it takes pytest's arguments."""
        return self.arguments[1] == "pytest"

    @property
    def has_window(self) -> bool:
        """Whether it tells stories in Blender's window."""
        return self.part.startswith("gui")

    def command(self, extra: Sequence[str] = ()) -> list[str]:
        """What is started, with `extra` arguments at its end."""
        return [str(python_of(self.environment)), *self.arguments, *extra]

    def __str__(self) -> str:
        return f"{' '.join(self.arguments[1:])} ({self.environment.name})"


def all_checks(blenders: Sequence[Environment]) -> list[Check]:
    """Every check, the longest first, then quickest first; Blender's tests once for each of `blenders`."""
    return [
        Check("engine", ENGINE, ("-m", "pytest", "tests/engine")),
        Check("lint", QUICK, ("-m", "ruff", "check", ".")),
        Check("lint", QUICK, ("-m", "ruff", "format", "--check", ".")),
        Check("types", TYPES, ("-m", "mypy", ".")),
        Check("unit", QUICK, ("-m", "pytest", "tests/unit")),
        Check("setup", ENGINE, ("-m", "pytest", "tests/setup")),
        *(Check("blender", environment, ("-m", "pytest", "tests/blender")) for environment in blenders),
        Check("gui", ENGINE, ("-m", "vendor_setup.gui", *gui.SHORT)),
        Check("gui-long", ENGINE, ("-m", "vendor_setup.gui", *gui.LONG, *gui.LANGUAGES)),
    ]


PARTS = tuple(dict.fromkeys(check.part for check in all_checks(BLENDERS)))


def child_environment() -> dict[str, str]:
    """The environment variables of a check. What its hundreds of processes import is compiled once, whatever is set."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return quiet_environment(inherited) | {PYTHON_VARIABLE: str(python_of(ENGINE))}


def choose(arguments: Sequence[str], checks: Sequence[Check]) -> tuple[list[Check], list[str]]:
    """The checks that leading names of parts select (none = all but the long stories), and what is left for pytest.

    With arguments for pytest, only what pytest runs is left.
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
    """Run them all, whatever fails; 0 if nothing did."""
    # Where no Python is here yet, one is fetched: the first of those supported.
    versions = list(find_pythons()) or SUPPORTED[:1]
    blenders = [environment for environment in BLENDERS if environment.python in versions]
    checks, pytest_arguments = choose(arguments, all_checks(blenders))
    prepare(list(dict.fromkeys(environment for check in checks for environment in check.environments)))
    run = partial(_run, pytest_arguments=pytest_arguments, quietly=len(checks) > 1)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        results = list(pool.map(run, (check for check in checks if not check.has_window)))
    results += map(run, (check for check in checks if check.has_window))  # a window wants the machine to itself
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
    """Run it. `quietly`: what it says comes whole, at its end."""
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
