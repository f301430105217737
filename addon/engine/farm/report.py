"""The results of many shots, one row each: as a table for people and as JSON for programs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...contract import json_codec
from ...contract.boundary import read_or
from ...contract.disk import write_data, writing
from ...contract.errors import ExitCode, MatteError
from .plan import STEPS, Plan, PlannedShot, Step


@dataclass(frozen=True, slots=True)
class Row:
    """The result of one shot.

    name: name of the Job's file, without its suffix.
    exit_code: one of errors.ExitCode.
    frames: number of frames with a matte.
    suspects: number of runs of doubtful frames.
    seconds: wall-clock time spent on the shot.
    result: the finished version's folder, or without an export the matte store's; empty if it failed.
    last_words: the error it failed with; empty if it succeeded.
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
        """Return the row of a shot that failed with `error`."""
        return Row(name, int(error.exit_code), seconds=seconds, last_words=str(error))


def in_words(rows: Sequence[Row]) -> str:
    """Format a table. Failed shots come last, where they are seen first in a terminal."""
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
    """Return OK if all shots succeeded, else the exit code of the first that failed."""
    return next((row.exit_code for row in rows if row.exit_code != ExitCode.OK), ExitCode.OK)


def write(path: Path, rows: Sequence[Row]) -> None:
    """Write the rows as JSON. Raises OutputError."""
    text = json.dumps({"shots": [dataclasses.asdict(row) for row in rows]}, ensure_ascii=False, indent=1)
    with writing(path.parent):
        write_data(path, f"{text}\n".encode())


def rows_of(bundle: Path) -> list[Row]:
    """Return one row per shot, from the reports of its tasks. Raises JobError."""
    plan = Plan.load(bundle)
    return [_row(bundle, shot) for shot in plan.shots]


def _row(bundle: Path, shot: PlannedShot) -> Row:
    found: dict[Step, list[Row]] = {}
    for step in STEPS:
        files = sorted((bundle / "report").glob(f"{step}-{shot.name}-*.json"))
        rows = (read_or(None, lambda file=file: _read(file)) for file in files)  # type: ignore[misc]
        found[step] = [row for row in rows if row is not None and row.name == shot.name]
    done = found["publish"][-1] if found["publish"] else None
    seconds = round(sum(row.seconds for rows in found.values() for row in rows), 1)
    failed = [row for step in STEPS for row in found[step] if row.exit_code != ExitCode.OK]
    if done is not None and done.exit_code == ExitCode.OK:
        return dataclasses.replace(done, seconds=seconds)
    if failed:
        return dataclasses.replace(failed[0], seconds=seconds)
    reached = next((step for step in reversed(STEPS) if found[step]), None)
    words = f"Not finished: the last step that was started is {reached}." if reached else "Not begun."
    return Row(shot.name, ExitCode.CANCELLED, seconds=seconds, last_words=words)


def _read(file: Path) -> Row:
    data: Any = json.loads(file.read_text(encoding="utf-8"))
    row: Row = json_codec.decode(data, Row, "row")
    return row
