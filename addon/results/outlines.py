"""Readers of the engine's answers with outlines, whose format contract/layout.py describes. Standard library only."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..contract.boundary import reading
from ..contract.errors import EngineError

Point2 = tuple[float, float]
Path2 = tuple[Point2, ...]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The outlines of one mask.

    number: the number of a thing or part, which is the same on all frames; for a suggestion its position in the list.
    area: in pixels of the plate.
    paths: closed outlines of (x, y) in upright pixels of the plate, filled by the even-odd rule.
    """

    number: int
    area: float
    paths: tuple[Path2, ...]

    def holds(self, place: Point2) -> bool:
        """Whether a position (x, y), in upright pixels of the plate, is inside the mask."""
        return sum(_crossings(path, place) for path in self.paths) % 2 == 1


@dataclass(frozen=True, slots=True)
class ObjectOutlines:
    """The outlines of one object over several frames.

    frames: the clip frames that have a matte, ascending.
    paths: a path has one closed curve of (x, y) for each of `frames`, in upright pixels of the plate. All curves of a
        path have the same number of points.
    """

    frames: tuple[int, ...]
    paths: tuple[tuple[Path2, ...], ...]


@dataclass(frozen=True, slots=True)
class ObjectRepairs:
    """The mattes that are offered for one object.

    outlines: of the frames that have an offer.
    reasons: who says so, one for each of these frames.
    refused: of suspects without an offer the first clip frame, the last and why.
    """

    outlines: ObjectOutlines
    reasons: tuple[str, ...]
    refused: tuple[tuple[int, int, str], ...]

    @property
    def offers(self) -> list[tuple[int, list[Path2]]]:
        """Return the existing outlines by frame, which fill by even-odd."""
        return [
            (frame, [path[i] for path in self.outlines.paths if len(set(path[i])) > 1])
            for i, frame in enumerate(self.outlines.frames)
        ]


def read_suggestions(file: Path) -> list[Suggestion]:
    """The masks of one frame, the largest first. Raises EngineError if the file is not a valid answer."""
    with _answer(file):
        return [
            Suggestion(int(mask["number"]), float(mask["area"]), tuple(_path(path) for path in mask["paths"]))
            for mask in _read(file)["masks"]
        ]


def read_outlines(file: Path) -> dict[str, ObjectOutlines]:
    """The outlines of tracked mattes by object name. Raises EngineError if the file is not a valid answer."""
    with _answer(file):
        return {name: _outlines(name, found) for name, found in _read(file).items()}


def read_repairs(file: Path) -> dict[str, ObjectRepairs]:
    """Read the offered repairs by object. Raises EngineError if the file is not such an answer."""
    with _answer(file):
        repairs = {
            name: ObjectRepairs(
                _outlines(name, found),
                tuple(str(reason) for reason in found["reasons"]),
                tuple((int(first), int(last), str(reason)) for first, last, reason in found["refused"]),
            )
            for name, found in _read(file).items()
        }
        for name, found in repairs.items():
            if len(found.reasons) != len(found.outlines.frames):
                raise ValueError(f"{name} does not have one reason for each frame")
        return repairs


def _outlines(name: str, found: Any) -> ObjectOutlines:
    outlines = ObjectOutlines(
        tuple(int(frame) for frame in found["frames"]),
        tuple(tuple(_path(curve) for curve in curves) for curves in found["paths"]),
    )
    for curves in outlines.paths:
        if len(curves) != len(outlines.frames) or len({len(curve) for curve in curves}) > 1 or not curves[0]:
            raise ValueError(f"a path of {name} does not have one curve for each frame")
    return outlines


def smallest_at(found: list[Suggestion], place: Point2) -> int | None:
    """The index of the smallest mask that contains a position, in upright pixels of the plate; None if there is none.

    The smallest one is what a click means, as parts lie above the whole.
    """
    holding = [i for i, outline in enumerate(found) if outline.holds(place)]
    return min(holding, key=lambda i: (found[i].area, i), default=None)


def _answer(file: Path) -> AbstractContextManager[None]:
    return reading(EngineError, "The engine's answer can't be read", where=str(file), hint="Try again.")


def _read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def _path(points: Any) -> Path2:
    return tuple((float(x), float(y)) for x, y in points)


def _crossings(path: Path2, place: Point2) -> int:
    """Count how often a ray from `place` to the right crosses a closed path."""
    x, y = place
    count = 0
    for (x0, y0), (x1, y1) in zip(path, path[1:] + path[:1], strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) / (y1 - y0) * (x1 - x0):
            count += 1
    return count
