"""Frames that a message names: the engine counts those of a clip from 1, an artist reads the timeline's numbers."""

from __future__ import annotations

import re

_NAMED = re.compile(r"'[^']*'|\b([Ff]rames? )(\d+)(?:( to )(\d+))?")  # what is quoted is somebody's name


def shifted(text: str, shift: int) -> str:
    """A message of ours with `shift` added to the frames that it names."""

    def replace(found: re.Match[str]) -> str:
        word, first, to, last = found.groups()
        if word is None:
            return found[0]
        return f"{word}{int(first) + shift}" + (f"{to}{int(last) + shift}" if to else "")

    return _NAMED.sub(replace, text) if shift else text
