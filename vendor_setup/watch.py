"""`test --watch`: runs the checks that a change affects as soon as a file is saved, the quickest first.

Another change ends the current run, and a new run covers both changes. Failed checks run again after the next change,
whatever that is, because the mistake may be in another file.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from .checks import Check, all_checks, child_environment, choose
from .environments import BLENDERS, QUICK, ROOT, folder_of, is_ready, prepare
from .imports import Imports
from .say import say

_INTERVAL = 0.3  # seconds between two scans of the files
_PATIENCE = 10.0  # seconds that a check has to end its processes
_FOLDERS = ("addon", "bench", "demo", "docs", "tests", "training", "vendor_setup")
_ORDER = (
    "lint",
    "unit",
    "types",
    "setup",
    "engine",
    "blender",
)  # the quickest first, without stories in a window

Snapshot = dict[str, tuple[int, int]]  # modification time in ns and size in bytes, by path below ROOT


def watch(arguments: Sequence[str]) -> int:
    """Run until interrupted. Arguments are those of `test`; without parts, all with existing environments run."""
    blenders = [environment for environment in BLENDERS if is_ready(environment, folder_of(environment))] or BLENDERS
    every = [check for part in _ORDER for check in all_checks(blenders[-1:]) if check.part == part]
    checks, pytest_arguments = choose(arguments, every)
    if checks == choose(pytest_arguments, every)[0]:  # no parts were named
        checks = [
            check
            for check in checks
            if all(env is QUICK or is_ready(env, folder_of(env)) for env in check.environments)
        ]
    prepare(list(dict.fromkeys(environment for check in checks for environment in check.environments)))
    seen = snapshot()
    say(f"Watching for {', '.join(dict.fromkeys(check.part for check in checks))}. Ctrl-C ends it.")
    pending: set[str] = set()
    while True:
        seen, changed = _next_change(seen)
        pending |= changed
        say(f"\n=== Changed: {', '.join(sorted(pending))}")
        outcome = "passed"
        for command in commands(checks, pending, seen, pytest_arguments):
            say(f"=== {' '.join(command[1:])}")
            code = _run(command, seen)
            if code is None:
                outcome = ""
                break
            if code:
                outcome = "FAILED"
        if outcome == "passed":
            pending.clear()
        if outcome:
            say(f"=== {outcome}")


def snapshot() -> Snapshot:
    """The state of all files on which checks may depend."""
    found: Snapshot = {}
    for path in (*ROOT.glob("*"), *(file for folder in _FOLDERS for file in (ROOT / folder).rglob("*"))):
        if path.suffix == ".pyc" or path.name.startswith("."):
            continue
        try:
            about = path.stat()
        except OSError:  # deleted in the meantime
            continue
        if path.is_file():
            found[path.relative_to(ROOT).as_posix()] = (about.st_mtime_ns, about.st_size)
    return found


def commands(
    checks: Sequence[Check], changed: set[str], files: Snapshot, pytest_arguments: Sequence[str]
) -> Iterator[list[str]]:
    """The commands to run after a change: pytest with the affected tests, nearest first; other checks completely."""
    imports = Imports(ROOT, files)
    for check in checks:
        if not check.is_pytest:
            if any(file.endswith((".py", ".toml")) for file in changed):
                yield check.command()
            continue
        folder = PurePosixPath(check.arguments[-1])
        tests = [file for file in files if PurePosixPath(file).match(f"{folder}/test_*.py")]
        if touched := imports.touched(changed, tests):
            yield [*check.command()[:-1], *touched, *pytest_arguments]


def _next_change(before: Snapshot) -> tuple[Snapshot, set[str]]:
    """Wait for a change since `before` that is stable for a moment. Returns the new snapshot and the changed files."""
    last = before
    while True:
        time.sleep(_INTERVAL)
        now = snapshot()
        if now == last and now != before:
            return now, {file for file in before.keys() | now.keys() if before.get(file) != now.get(file)}
        last = now


def _run(command: Sequence[str], seen: Snapshot) -> int | None:
    """Run a command. Returns its exit code, or None if it was ended because files changed."""
    with subprocess.Popen(command, cwd=ROOT, env=child_environment(), stdin=subprocess.DEVNULL) as process:
        while True:
            try:
                return process.wait(_INTERVAL)
            except subprocess.TimeoutExpired:
                if snapshot() != seen:
                    break
        # the signal of Ctrl-C, so that fixtures end their processes
        process.send_signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGINT)
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
    return None
