"""What became of many shots: a row each, as a table for people and as JSON for programs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...contract.disk import write_bytes, write_file, writing
from ...contract.errors import ExitCode, MatteError


@dataclass(frozen=True, slots=True)
class Row:
    """One shot.

    name: of the Job's file, without its suffix.
    exit_code: of errors.ExitCode; OK: it is done.
    frames: that have a matte; suspects: runs of doubtful frames.
    seconds: by the clock, all that was done for it.
    result: the finished version's folder, or the matte store's without an export; empty if it failed.
    last_words: what it failed with; empty if it is done.
    """

    name: str
    exit_code: int = ExitCode.OK
    frames: int = 0
    suspects: int = 0
    seconds: float = 0.0
    result: str = ""
    last_words: str = ""

    @staticmethod
    def of_error(name: str, error: MatteError, seconds: float = 0.0) -> Row:
        """The row of a shot that ended with `error`."""
        return Row(name, int(error.exit_code), seconds=seconds, last_words=str(error))


def in_words(rows: Sequence[Row]) -> str:
    """A table: what is done first, then what failed, as the eye stays at the end."""
    width = max([4, *(len(row.name) for row in rows)])
    lines = [f"{'shot':{width}}  frames  suspects  seconds  "]
    for row in sorted(rows, key=lambda row: row.exit_code != ExitCode.OK):
        end = row.result or f"failed: {' '.join(row.last_words.split())}"
        lines.append(f"{row.name:{width}}  {row.frames:6}  {row.suspects:8}  {row.seconds:7.1f}  {end}")
    failed = sum(row.exit_code != ExitCode.OK for row in rows)
    doubtful = sum(row.suspects > 0 for row in rows)
    frames = sum(row.frames for row in rows)
    lines.append(
        f"{len(rows)} shots: {len(rows) - failed} done ({frames} frames, {doubtful} shots with suspects), "
        f"{failed} failed"
    )
    return "\n".join(lines)


def exit_code(rows: Sequence[Row]) -> int:
    """OK if all are done, else that of the first that failed."""
    return next((row.exit_code for row in rows if row.exit_code != ExitCode.OK), ExitCode.OK)


def write(path: Path, rows: Sequence[Row]) -> None:
    """Keep the rows as JSON. Raises OutputError."""
    text = json.dumps({"shots": [dataclasses.asdict(row) for row in rows]}, ensure_ascii=False, indent=1)
    with writing(path.parent):
        write_file(path, lambda file: write_bytes(file, f"{text}\n".encode()))
