"""Estimates how long a run will take from how long it has taken."""

from __future__ import annotations

import time

from ..contract.protocol import Stage

_MEMORY = 8  # frames that the estimate looks back over, roughly


class Clock:
    """Estimates the seconds left of a stage from a moving average, which follows a machine that slows down."""

    def __init__(self) -> None:
        self._stage: Stage | None = None
        self._last = 0.0
        self._done = 0
        self._pace: float | None = None

    def seconds_left(self, stage: Stage, done: int, total: int) -> float | None:
        """Call once a finished frame; None until two frames of the stage are done."""
        now = time.monotonic()
        if stage != self._stage or done <= self._done:
            self._stage, self._pace = stage, None
        elif done > self._done:
            pace = (now - self._last) / (done - self._done)
            self._pace = pace if self._pace is None else self._pace + (pace - self._pace) / _MEMORY
        self._last, self._done = now, done
        return None if self._pace is None else round(self._pace * (total - done), 1)
