"""Runs of frames; and frames that a message names: the engine counts from 1, an artist reads the timeline's numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_NAMED = re.compile(r"'[^']*'|\b([Ff]rames? )(\d+)(?:( to )(\d+))?")  # what is quoted is somebody's name


def shifted(text: str, shift: int) -> str:
    """A message of ours with `shift` added to the frames that it names."""

    def replace(found: re.Match[str]) -> str:
        word, first, to, last = found.groups()
        if word is None:
            return found[0]
        return f"{word}{int(first) + shift}" + (f"{to}{int(last) + shift}" if to else "")

    return _NAMED.sub(replace, text) if shift else text


def spread(frames: Sequence[int], most: int) -> list[int]:
    """At most `most` of the frames, evenly spread, with the first one and, if there are several, the last one."""
    count = min(len(frames), most)
    step = (len(frames) - 1) / max(count - 1, 1)
    return [frames[round(i * step)] for i in range(count)]


def runs_of(frames: Iterable[int]) -> list[range]:
    """The runs of consecutive frames, ascending."""
    runs: list[range] = []
    for frame in sorted(set(frames)):
        if runs and runs[-1].stop == frame:
            runs[-1] = range(runs[-1].start, frame + 1)
        else:
            runs.append(range(frame, frame + 1))
    return runs
