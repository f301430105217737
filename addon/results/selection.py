"""The engine's answer that says which frames to keep, as contract/layout.py describes it; and how a .blend keeps that.

Standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from ..contract.boundary import reading
from ..contract.errors import EngineError
from ..contract.frame_numbers import runs_of
from ..contract.job_checks import MAX_FRAMES


def read_dropped(file: Path) -> set[int]:
    """The clip frames that are dropped. Raises EngineError if the file is not such an answer."""
    with reading(EngineError, "The engine's answer can't be read", where=str(file), hint="Try again."):
        return {int(frame) for frame in json.loads(file.read_text(encoding="utf-8"))["dropped"]}


def to_text(frames: Iterable[int]) -> str:
    """Frames in short: 1-3 7."""
    return " ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs_of(frames))


def from_text(text: str) -> set[int]:
    """The reverse of `to_text`; what is no frame, or beyond any clip, is not among them."""
    found: set[int] = set()
    for span in text.split():
        first, _, last = span.partition("-")
        if first.isdecimal() and (last or first).isdecimal():
            found.update(range(max(1, int(first[:9])), min(MAX_FRAMES, int((last or first)[:9])) + 1))
    return found
