"""Suspects: frames on which an object's matte is probably wrong. The engine writes them, Blender reads them.

They are stored in `suspects.json` in the object's take. Standard library only; both processes import it.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from .boundary import read_or


@dataclass(frozen=True, slots=True)
class Suspect:
    """A run of consecutive suspect frames of one object.

    frame: the most doubtful clip frame of the run. It is the frame to look at, and where a marker helps most.
    first, last: first and last clip frame of the run, both included.
    doubt: how doubtful that frame is; frames with at least 1 are listed.
    reason: the reason in words.
    """

    frame: int
    first: int
    last: int
    doubt: float
    reason: str

    @property
    def frames(self) -> range:
        """All clip frames of the run."""
        return range(self.first, self.last + 1)

    def in_words(self) -> str:
        """For example: frame 12 (10 to 15): shrinks by 30% at once."""
        run = f" ({self.first} to {self.last})" if self.first < self.last else ""
        return f"frame {self.frame}{run}: {self.reason}"


def suspects_file(take: Path) -> Path:
    """The file of the suspects of a take, which exists once the take has been reviewed."""
    return take / "suspects.json"


def suspects_json(found: list[Suspect]) -> str:
    """The content of `suspects_file`: the suspects as JSON."""
    return json.dumps({"suspects": [dataclasses.asdict(suspect) for suspect in found]}, indent=1, ensure_ascii=False)


def read_suspects(take: Path) -> list[Suspect]:
    """The suspects of a take, the worst first; empty if it has never been reviewed."""

    def read() -> list[Suspect]:
        data = json.loads(suspects_file(take).read_text(encoding="utf-8"))
        return [_suspect(**fields) for fields in data["suspects"]]

    return read_or([], read)


def _suspect(frame: int, first: int, last: int, doubt: float, reason: str) -> Suspect:
    return Suspect(int(frame), int(first), int(last), float(doubt), str(reason))
