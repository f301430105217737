"""Suspects: frames where the matte of an object is doubtful. The engine writes them, Blender reads them.

They lie with the mattes they are about, in `suspects.json` of the object's folder in the matte store. Standard library
only; both processes import it.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from .boundary import read_or


@dataclass(frozen=True, slots=True)
class Suspect:
    """A run of doubtful frames of one object.

    frame: the most doubtful clip frame of the run: where to look, and where a marker helps most.
    first, last: the run, both included.
    doubt: how doubtful that frame is; 1 is the limit from which a frame is listed.
    reason: why, in words.
    """

    frame: int
    first: int
    last: int
    doubt: float
    reason: str

    @property
    def frames(self) -> range:
        """All frames of the run."""
        return range(self.first, self.last + 1)

    def in_words(self) -> str:
        """For example: frame 12 (10 to 15): shrinks by 30% at once."""
        run = f" ({self.first} to {self.last})" if self.first < self.last else ""
        return f"frame {self.frame}{run}: {self.reason}"


def suspects_file(take: Path) -> Path:
    """Where the suspects among the mattes in `take` are, once these were reviewed."""
    return take / "suspects.json"


def suspects_json(found: list[Suspect]) -> str:
    """As they are kept."""
    return json.dumps({"suspects": [dataclasses.asdict(suspect) for suspect in found]}, indent=1, ensure_ascii=False)


def read_suspects(take: Path) -> list[Suspect]:
    """The suspects among the mattes in `take`, worst first; none if these were never reviewed."""

    def read() -> list[Suspect]:
        data = json.loads(suspects_file(take).read_text(encoding="utf-8"))
        return [_suspect(**fields) for fields in data["suspects"]]

    return read_or([], read)


def _suspect(frame: int, first: int, last: int, doubt: float, reason: str) -> Suspect:
    return Suspect(int(frame), int(first), int(last), float(doubt), str(reason))
