"""Converts Blender's coordinates to the Job's, and back: full-resolution, upright pixels from the top left.

Blender shows images as they are stored, and its coordinates refer to the stored frame: markers are 0..1 from the bottom
left; mask points are 0..1 over a square as large as the frame's longer side, centred on it. A Job is upright, so EXIF
orientation is applied here: per file, because photos of one set may be rotated differently, and for a movie that of its
header if Blender does not apply it. Standard library only.

Source: BKE_mask_coord_from_movieclip (blenkernel/intern/mask.cc).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..contract.errors import FootageError
from ..contract.exif import oriented_size, read_orientation, to_oriented, to_stored
from ..contract.job_types import Footage

Point2 = tuple[float, float]


def read_file_orientation(file: str) -> int:
    """Return a file's EXIF orientation, 1 to 8. Raises FootageError if it can't be read."""
    try:
        return read_orientation(Path(file))
    except OSError as error:
        raise FootageError(f"This file can't be read: {error.strerror}.", where=file) from None


@dataclass(slots=True)
class ClipCoordinates:
    """Converts coordinates on the frames of one clip.

    footage: its width and height are upright.
    pixel_aspect: height of a pixel over its width, as in Blender's BKE_movieclip_get_aspect.
    movie_orientation: the EXIF orientation of a movie that Blender shows as it is stored.
    """

    footage: Footage
    pixel_aspect: float = 1.0
    movie_orientation: int = 1
    _orientations: dict[int, int] = field(default_factory=dict)

    def from_marker(self, frame: int, place: Point2) -> Point2:
        """Convert (u, v) of a marker or corner on clip frame `frame` to upright pixels."""
        orientation = self.orientation(frame)
        stored = oriented_size(self.footage.width, self.footage.height, orientation)
        return to_oriented(place[0] * stored[0], (1 - place[1]) * stored[1], *stored, orientation)

    def from_mask(self, frame: int, place: Point2) -> Point2:
        """Convert a mask point on clip frame `frame` to upright pixels."""
        width, height = oriented_size(self.footage.width, self.footage.height, self.orientation(frame))
        x, y = place
        shape = width / (height * self.pixel_aspect)
        if shape < 1:
            x = (x - 0.5) / shape + 0.5
        else:
            y = (y - 0.5) * shape + 0.5
        return self.from_marker(frame, (x, y))

    def turns(self) -> set[int]:
        """Return the clip frames on both sides of each change of orientation."""
        frames = () if self.footage.movie else _turned(self.footage.files)
        return {side for frame in frames for side in (frame - 1, frame)}

    def to_marker(self, frame: int, place: Point2) -> Point2:
        """Invert `from_marker`."""
        orientation = self.orientation(frame)
        width, height = oriented_size(self.footage.width, self.footage.height, orientation)
        x, y = to_stored(*place, width, height, orientation)
        return x / width, 1 - y / height

    def to_mask(self, frame: int, place: Point2) -> Point2:
        """Invert `from_mask`."""
        width, height = oriented_size(self.footage.width, self.footage.height, self.orientation(frame))
        u, v = self.to_marker(frame, place)
        shape = width / (height * self.pixel_aspect)
        return ((u - 0.5) * shape + 0.5, v) if shape < 1 else (u, (v - 0.5) / shape + 0.5)

    def orientation(self, frame: int) -> int:
        """Return the EXIF orientation of a frame as Blender shows it, or of the nearest frame of the clip. Raises
        FootageError.
        """
        if self.footage.movie:
            return self.movie_orientation
        frame = min(max(frame, 1), len(self.footage.files))
        if frame not in self._orientations:
            self._orientations[frame] = read_file_orientation(self.footage.files[frame - 1])
        return self._orientations[frame]


@functools.lru_cache(maxsize=4)
def _turned(files: tuple[str, ...]) -> list[int]:
    """Return the clip frames whose orientation differs from that of the frame before. Raises FootageError."""
    orientations = [read_file_orientation(file) for file in files]
    return [i + 2 for i, (one, two) in enumerate(itertools.pairwise(orientations)) if one != two]


def sample_outline(
    points: list[tuple[Point2, Point2, Point2]], convert: Callable[[Point2], Point2], steps: int = 0
) -> list[Point2]:
    """Return a closed Bezier outline as a polygon.

    Args:
        points: (left handle, point, right handle) of each control point, in any coordinates.
        convert: converts a point to the coordinates of the result, in pixels; it must keep straight lines straight.
        steps: corners from one point to the next; 0 = as many as are needed.

    Returns:
        The polygon's corners. Without `steps`, corners on curves are at most about _STEP pixels apart, and straight
        segments have none in between.
    """
    knots = [tuple(convert(place) for place in point) for point in points]
    outline: list[Point2] = []
    for (_, a, b), (c, d, _) in zip(knots, knots[1:] + knots[:1], strict=True):
        if not steps and a == b and c == d:
            outline.append(a)
            continue
        length = sum(abs(q[0] - p[0]) + abs(q[1] - p[1]) for p, q in ((a, b), (b, c), (c, d)))
        count = steps or max(1, min(_MAX_STEPS, round(length / _STEP)))
        for i in range(count):
            t = i / count
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            outline.append(
                (
                    sum(w * p[0] for w, p in zip(weights, (a, b, c, d), strict=True)),
                    sum(w * p[1] for w, p in zip(weights, (a, b, c, d), strict=True)),
                )
            )
    return outline


_STEP = 4.0  # pixels
_MAX_STEPS = 256
