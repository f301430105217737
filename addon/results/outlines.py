"""What can be picked on a frame: what the engine suggests as objects, or what it has found. Standard library only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

Point2 = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One mask: closed outlines in upright pixels of the plate, which fill by even-odd; area in the same.

    number: of what was found in all frames, the one that it keeps; of a frame's suggestions, its place among them.
    """

    number: int
    area: float
    paths: tuple[tuple[Point2, ...], ...]

    def holds(self, place: Point2) -> bool:
        """Whether a place is inside."""
        return sum(_crossings(path, place) for path in self.paths) % 2 == 1


def read_suggestions(file: Path) -> list[Suggestion]:
    """The largest first. Raises OSError, ValueError, KeyError if the file is not the engine's."""
    data = json.loads(file.read_text(encoding="utf-8"))
    return [
        Suggestion(each["number"], each["area"], tuple(tuple((x, y) for x, y in path) for path in each["paths"]))
        for each in data["masks"]
    ]


def smallest_at(found: list[Suggestion], place: Point2) -> int | None:
    """Of those that hold a place, the smallest: parts lie above the whole."""
    holding = [i for i, each in enumerate(found) if each.holds(place)]
    return min(holding, key=lambda i: (found[i].area, i), default=None)


def _crossings(path: tuple[Point2, ...], place: Point2) -> int:
    """How often a ray to the right crosses a closed path."""
    x, y = place
    count = 0
    for (x0, y0), (x1, y1) in zip(path, path[1:] + path[:1], strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) / (y1 - y0) * (x1 - x0):
            count += 1
    return count
