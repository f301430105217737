"""The installer's command line, which Blender starts: `python -m addon.installer VERB ...`.

It carries out one task, reports it in JSON lines on stdout, and ends. It stops when it reads anything on stdin or when
stdin is closed, so it never outlives Blender. Exit codes are those of errors.ExitCode.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from ..checkpoints import OFFICIAL
from ..contract.errors import Cancelled, EngineError, ExitCode, MatteError
from ..contract.protocol import encode
from ..runtime.locate import current_runtime
from ..runtime.watch import Watch
from . import install as installation
from .checkpoints import download_checkpoint
from .plan import InstallPlan
from .self_test import self_test
from .torch_build import CHOICES, OtherBuildError

EXTENSION = Path(__file__).resolve().parents[2]

_SECONDS_BETWEEN_REPORTS = 0.1
_GRACE = 20.0  # seconds from a request to stop until the process ends at the latest


class Told(Watch):
    """Reports progress as events on stdout."""

    def __init__(self, events: Any) -> None:
        self._events = events
        self._stop = threading.Event()
        self._speaking = threading.Lock()
        self._over = False
        self._next_report = 0.0
        self._words = ""
        threading.Thread(target=self._listen, daemon=True).start()

    def progress(self, words: str, fraction: float) -> None:
        """Report progress, at most ten times a second while the words stay the same."""
        now = time.monotonic()
        head = words.partition(":")[0]
        if head != self._words or now >= self._next_report:
            self._next_report = now + _SECONDS_BETWEEN_REPORTS
            self._words = head
            self.send(event="progress", words=words, fraction=fraction)

    def note(self, words: str) -> None:
        """Report a message for the panel's log."""
        self.send(event="note", words=words)

    def stopping(self) -> bool:
        """Whether Blender asked to stop, or has ended."""
        return self._stop.is_set()

    def send(self, **message: object) -> None:
        """Write a message as one line."""
        with self._speaking:
            if self._over:
                return
            self._over = message["event"] == "error"
            try:
                self._events.write(encode(message))
                self._events.flush()
            except (BrokenPipeError, ValueError):
                self._stop.set()  # nobody listens any more

    def end(self, failure: MatteError) -> None:
        """Write the last line: the error that the task ended with."""
        code = int(failure.exit_code)
        words = {"message": failure.message, "where": failure.where, "hint": failure.hint}
        self.send(event="error", **words, exit_code=code)

    def _listen(self) -> None:
        os.read(0, 1)
        self._stop.set()
        self.end(Cancelled("Stopped. What was downloaded is kept."))  # at once: what is left is to clear away
        time.sleep(_GRACE)
        os._exit(ExitCode.CANCELLED)


def main(arguments: list[str] | None = None) -> int:
    """Carry out one verb. Returns the exit code."""
    options = _parser().parse_args(arguments)
    events = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what anything else prints goes to stderr
    watch = Told(events)
    try:
        watch.send(event="done", **_carry_out(options, watch))
        return ExitCode.OK
    except OtherBuildError as question:
        watch.send(event="ask", build=question.build.name, message=question.message, hint=question.hint)
        return question.exit_code
    except MatteError as error:
        failure = error
    except Exception as error:
        traceback.print_exc()
        failure = MatteError(f"{type(error).__name__}: {error}", hint="Please report this.")
    watch.end(failure)
    return int(failure.exit_code)


def _carry_out(options: argparse.Namespace, watch: Watch) -> dict[str, str]:
    folder: Path = options.folder
    if options.verb == "install":
        plan = InstallPlan(folder, options.build, options.python, options.wheels, options.agreed)
        installed = installation.install(plan, watch, EXTENSION)
        words = f"Installed: PyTorch {installed.torch}, tried out on {installed.device}."
        return {"words": words, "gpu_problem": installed.gpu_problem}
    if options.verb == "self-test":
        plan = InstallPlan(folder)
        runtime = current_runtime(plan.runtimes)
        if runtime is None:
            raise EngineError("There is no engine yet.", where=str(plan.runtimes), hint="Install it first.")
        tested = self_test(runtime, EXTENSION, folder, plan.log, watch, options.device)
        return {"words": f"The engine works, on {tested.device}.", "gpu_problem": tested.gpu_problem}
    if options.verb == "checkpoint":
        path = download_checkpoint(OFFICIAL[options.name], folder / "checkpoints", watch)
        return {"words": f"{path.name} is ready."}
    if options.verb == "move":
        installation.move(folder, options.target, watch)
        return {"words": f"Moved to {options.target}.", "folder": str(options.target)}
    installation.remove(folder, watch)
    return {"words": "The engine is removed. Checkpoints are kept."}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="installer", description="Sets up Splat Matte's engine.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    install = verbs.add_parser("install", help="install, update or repair the engine's runtime")
    install.add_argument("--build", choices=("auto", *CHOICES), default="auto", help="of torch")
    install.add_argument("--python", default="", help="to make it from; default: this one")
    install.add_argument("--wheels", type=Path, help="a folder that has all files: the network is not used")
    install.add_argument("--agreed", default="", help="the build that is taken where the planned one can't be had")
    verbs.add_parser("self-test").add_argument("--device", default="auto")
    verbs.add_parser("checkpoint").add_argument("name", choices=OFFICIAL)
    verbs.add_parser("move").add_argument("target", type=Path)
    verbs.add_parser("remove")
    for verb in verbs.choices.values():
        verb.add_argument("--folder", type=Path, required=True, help="of runtime and checkpoints")
    return parser


if __name__ == "__main__":
    sys.exit(main())
