"""Progress messages. They go to stderr, because stdout belongs to the commands that are run."""

from __future__ import annotations

import sys
import time

from addon.runtime.watch import Watch

_SECONDS_BETWEEN_LINES = 5.0


def say(line: str) -> None:
    """Print `line` at once."""
    print(line, file=sys.stderr, flush=True)


class SayWatch(Watch):
    """Prints what a long task does, whenever that changes and every few seconds.

    prefix: in front of each line.
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._doing = ""
        self._next_line = 0.0

    def progress(self, words: str, fraction: float) -> None:
        """See Watch."""
        doing = words.partition(":")[0]
        if doing != self._doing or time.monotonic() >= self._next_line:
            self._doing = doing
            self._next_line = time.monotonic() + _SECONDS_BETWEEN_LINES
            self.note(words)

    def note(self, words: str) -> None:
        """See Watch."""
        say(f"{self._prefix}{words}")
