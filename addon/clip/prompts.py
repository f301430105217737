"""Reads the marks of the clip editor as MatteObjects: markers and strokes are points, plane tracks boxes, mask layers
masks.

Nothing is dropped silently: what does not count is listed with its reason.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import bpy

from ..contract.job_types import Box, Mask, MatteObject, Point, Prompt
from ..language import translated
from ..settings.clip_settings import settings_of
from ..settings.palette import excludes
from .coordinates import ClipCoordinates
from .footage import scene_frame
from .markers import markers_of
from .mask import read_mask, repaired_object
from .solved_tracks import solved_points
from .strokes import read_strokes

_SAME_PLACE = 1e-5  # tolerance, as a fraction of the frame's width or height

_Bounds = tuple[float, float, float, float]  # left, bottom, right, top; 0..1 of the frame


MarkKind = Literal["include", "exclude", "box", "mask", "strokes"]


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark as the artist sees it: a point, a box, a mask, or all strokes of a layer on a clip frame.

    holder: name of the track, plane track, mask layer or annotation layer.
    """

    frame: int
    kind: MarkKind
    holder: str


@dataclass(slots=True)
class Marks:
    """The marks on one object by clip frame. rows: the same marks as the artist sees them, in no order."""

    points: dict[int, list[Point]] = field(default_factory=dict)
    boxes: dict[int, Box] = field(default_factory=dict)
    masks: dict[int, Mask] = field(default_factory=dict)
    rows: list[Mark] = field(default_factory=list)

    def add_masks(self, layer: str, masks: dict[int, Mask]) -> None:
        """Add the masks of a mask's layer. They replace those of other layers on the same frames."""
        self.masks |= masks
        self.rows = [row for row in self.rows if row.kind != "mask" or row.frame not in masks]
        self.rows += [Mark(frame, "mask", layer) for frame in masks]

    def listed(self) -> list[Mark]:
        """Return all rows, ordered by frame."""
        return sorted(self.rows, key=lambda row: row.frame)

    @property
    def frames(self) -> list[int]:
        """Return the frames with any mark, ascending."""
        return sorted({*self.points, *self.boxes, *self.masks})

    def prompts(self) -> tuple[Prompt, ...]:
        """Return the marks as a Job's prompts."""
        return tuple(
            Prompt(frame, tuple(self.points.get(frame, ())), self.boxes.get(frame), self.masks.get(frame))
            for frame in self.frames
        )

    def in_words(self) -> str:
        """Describe the marks, for example: 3 points (1 excludes), 1 box on 2 frames."""
        return _in_words([self])


@dataclass(slots=True)
class Prompts:
    """All prompts that will be sent, and what will not be.

    marks: by object name, in the order of the clip's tracking objects, then of the mask's layers. Objects that are
        switched off or have no valid mark are absent.
    ignored: what does not count, in sentences with the reason.
    unexported: names of objects that are tracked but not exported.
    shadows: names of objects that are the subject's shadow or reflection.
    """

    marks: dict[str, Marks] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    unexported: set[str] = field(default_factory=set)
    shadows: set[str] = field(default_factory=set)

    def objects(self) -> tuple[MatteObject, ...]:
        """Return the marks as a Job's objects."""
        return tuple(
            MatteObject(name, marks.prompts(), export=name not in self.unexported, shadow=name in self.shadows)
            for name, marks in self.marks.items()
        )

    def in_words(self) -> str:
        """Describe the prompts, for example: 2 objects, 5 points on 3 frames."""
        if not self.marks:
            return translated("nothing marked")
        return f"{count_of(len(self.marks), 'object')}, {_in_words(list(self.marks.values()))}"


def read_prompts(
    clip: bpy.types.MovieClip, coordinates: ClipCoordinates, frame_range: tuple[int, int] | None = None
) -> Prompts:
    """Read all prompts of the clip.

    Args:
        clip: the clip.
        coordinates: of the same clip.
        frame_range: first and last clip frame that will be tracked; marks outside do not count.

    Raises:
        FootageError: a file with marks can't be read.
        JobError: a mask can't be read.
    """
    settings = settings_of(clip)
    marks: dict[str, Marks] = {}
    ignored: list[str] = []
    for tracking_object in clip.tracking.objects:
        if not settings.uses(tracking_object.name):
            if tracking_object.tracks or tracking_object.plane_tracks:
                ignored.append(f"{tracking_object.name} is switched off.")
            continue
        found = Marks()
        _read_tracks(tracking_object, coordinates, settings.tracked_step, found, ignored)
        _read_planes(tracking_object, coordinates, settings.tracked_step, found, ignored)
        _read_strokes(clip, tracking_object.name, coordinates, found, ignored)
        if tracking_object.name in settings.objects:
            entry = settings.objects[tracking_object.name]
            for frame, points in solved_points(clip, tracking_object, entry, coordinates, ignored).items():
                found.points.setdefault(frame, []).extend(points)
        marks[tracking_object.name] = found
    if settings.mask is not None:

        def to_clip_frame(scene_frame: int) -> int:
            return scene_frame - clip.frame_start + 1

        layers = read_mask(settings.mask, coordinates, to_clip_frame, coordinates.footage.frame_count, ignored)
        for layer, masks in sorted(layers.items(), key=lambda item: bool(repaired_object(item[0]))):
            name = repaired_object(layer) or layer
            if name != layer and name not in clip.tracking.objects and name not in layers:
                ignored.append(f"Mask layer {layer!r} repairs an object that is not there.")
            elif settings.uses(name):
                marks.setdefault(name, Marks()).add_masks(layer, masks)
            elif name not in clip.tracking.objects:
                ignored.append(f"{name} is switched off.")
    if frame_range is not None:
        for name, each_marks in marks.items():
            _restrict(clip, name, each_marks, range(frame_range[0], frame_range[1] + 1), ignored)
    sent = {name: each_marks for name, each_marks in marks.items() if each_marks.frames}
    return Prompts(
        sent,
        ignored,
        {name for name in sent if not settings.exports(name)},
        {name for name in sent if name in settings.objects and settings.objects[name].shadow},
    )


def _read_tracks(
    tracking_object: bpy.types.MovieTrackingObject,
    coordinates: ClipCoordinates,
    step: int,
    found: Marks,
    ignored: list[str],
) -> None:
    """Read markers as points. step: every `step`-th marker set by Blender's tracker counts; 0: none."""
    reasons: Counter[str] = Counter()
    hidden = 0
    boxes = _boxes(tracking_object)
    for track in tracking_object.tracks:
        if _holds_box(track, boxes):
            continue
        if track.hide:
            hidden += 1
            continue
        include = not (track.use_custom_color and excludes(track.color[:]))
        frames, keyed, muted, places = markers_of(track)
        for frame, is_keyed, is_muted, place in zip(frames, keyed, muted, places, strict=True):
            u, v = place[0] + track.offset[0], place[1] + track.offset[1]
            if not is_keyed and is_muted:
                continue  # Blender's tracker ends a tracked section with a disabled marker
            if not is_keyed and (step == 0 or (frame - frames[0]) % step):
                reasons["set by Blender's tracker, not by hand"] += 1
            elif is_muted:
                reasons["disabled"] += 1
            elif not 1 <= frame <= coordinates.footage.frame_count:
                reasons["outside the clip"] += 1
            elif not (0 <= u <= 1 and 0 <= v <= 1):
                reasons["outside the image"] += 1
            else:
                point = Point(*coordinates.from_marker(frame, (u, v)), include)
                found.points.setdefault(frame, []).append(point)
                found.rows.append(Mark(frame, "include" if include else "exclude", track.name))
    if hidden:
        ignored.append(f"{tracking_object.name}: {count_of(hidden, 'track')} hidden.")
    for reason, count in reasons.items():
        counted = count_of(count, "marker")
        ignored.append(translated("{1}: {2} {3}.", tracking_object.name, counted, translated(reason)))


def _read_strokes(
    clip: bpy.types.MovieClip, name: str, coordinates: ClipCoordinates, found: Marks, ignored: list[str]
) -> None:
    """Read strokes of the annotation layers chosen for an object as points."""
    entry = settings_of(clip).objects.get(name)
    if entry is None:
        return
    reasons: Counter[str] = Counter()
    for layer, include in ((entry.include_layer, True), (entry.exclude_layer, False)):
        drawn = set()
        for frame, u, v in read_strokes(clip, layer, coordinates, reasons) if layer else ():
            point = Point(*coordinates.from_marker(frame, (u, v)), include)
            found.points.setdefault(frame, []).append(point)
            drawn.add(frame)
        found.rows += [Mark(frame, "strokes", layer) for frame in drawn]
    for reason, count in reasons.items():
        ignored.append(translated("{1}: {2} {3}.", name, count_of(count, "stroke"), translated(reason)))


def _boxes(tracking_object: bpy.types.MovieTrackingObject) -> list[tuple[int, _Bounds]]:
    """Return (frame, bounds) of plane tracks that are upright rectangles, as Blender creates them."""
    found = []
    for plane in tracking_object.plane_tracks:
        for marker in plane.markers:
            corners = [(corner[0], corner[1]) for corner in marker.corners]
            left, bottom, right, top = bounds = _bounds_of(corners)
            if all(_same(x, (left, right)) and _same(y, (bottom, top)) for x, y in corners):
                found.append((marker.frame, bounds))
    return found


def _holds_box(track: bpy.types.MovieTrackingTrack, boxes: list[tuple[int, _Bounds]]) -> bool:
    """Whether a track is part of a plane track's box; then it need not lie on the subject.

    Blender does not expose which tracks a plane track follows. But it creates plane tracks as the bounds of their
    tracks' patterns, so a track belongs to one if its pattern ends there, or if it lies on a corner, as in boxes of
    this extension.
    """
    for frame, (left, bottom, right, top) in boxes:
        marker = track.markers.find_frame(frame)
        if marker is None:
            continue
        u, v = marker.co[0], marker.co[1]
        if _same(u, (left, right)) and _same(v, (bottom, top)):
            return True
        (x0, y0), (x1, y1) = marker.pattern_bound_box
        ends = (u + x0, left), (u + x1, right), (v + y0, bottom), (v + y1, top)
        if any(_same(end, (side,)) for end, side in ends):
            return True
    return False


def _same(value: float, others: tuple[float, ...]) -> bool:
    return any(abs(value - other) < _SAME_PLACE for other in others)


def _bounds_of(corners: list[tuple[float, float]]) -> _Bounds:
    (left, right), (bottom, top) = ((min(side), max(side)) for side in zip(*corners, strict=True))
    return left, bottom, right, top


def _read_planes(
    tracking_object: bpy.types.MovieTrackingObject,
    coordinates: ClipCoordinates,
    step: int,
    found: Marks,
    ignored: list[str],
) -> None:
    """Read plane tracks as boxes.

    Blender does not expose which of their markers are keyed, and those that follow tracked tracks have one on every
    frame. So in a run of markers on consecutive frames the first one counts, and every `step`-th after it.
    """
    name = tracking_object.name
    for plane in tracking_object.plane_tracks:
        previous = first = None
        muted = outside = second = 0
        for marker in plane.markers:
            frame = marker.frame
            if previous is None or frame != previous + 1:
                first = frame
            previous = frame
            if frame != first and (step == 0 or (frame - first) % step):
                continue
            if marker.mute:
                muted += 1
                continue
            box = _bounds(marker, coordinates)
            if box is None:
                outside += 1
            elif frame in found.boxes:
                second += 1
            else:
                found.boxes[frame] = box
                found.rows.append(Mark(frame, "box", plane.name))
        if muted:
            ignored.append(f"{name}: {plane.name!r} is disabled on {count_of(muted, 'frame')}.")
        if outside:
            ignored.append(f"{name}: {plane.name!r} lies outside the image on {count_of(outside, 'frame')}.")
        if second:
            ignored.append(f"{name}: {plane.name!r} is a second box on {count_of(second, 'frame')}.")


def _bounds(marker: bpy.types.MovieTrackingPlaneMarker, coordinates: ClipCoordinates) -> Box | None:
    """Return the part of the corners' bounding rectangle that is inside the image, or None if there is none."""
    if not 1 <= marker.frame <= coordinates.footage.frame_count:
        return None
    places = [coordinates.from_marker(marker.frame, tuple(corner)) for corner in marker.corners]
    x0, x1 = (_clamp(edge(x for x, _ in places), coordinates.footage.width) for edge in (min, max))
    y0, y1 = (_clamp(edge(y for _, y in places), coordinates.footage.height) for edge in (min, max))
    return Box(x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _clamp(value: float, limit: int) -> float:
    return min(max(value, 0.0), float(limit))


def _restrict(clip: bpy.types.MovieClip, name: str, marks: Marks, frames: range, ignored: list[str]) -> None:
    outside = [frame for frame in marks.frames if frame not in frames]
    for by_frame in (marks.points, marks.boxes, marks.masks):
        for frame in outside:
            by_frame.pop(frame, None)
    marks.rows = [row for row in marks.rows if row.frame in frames]
    if outside:
        first, last = scene_frame(clip, frames[0]), scene_frame(clip, frames[-1])
        ignored.append(f"{name}: {count_of(len(outside), 'marked frame')} outside the range {first} to {last}.")


def _in_words(every: list[Marks]) -> str:
    points = [point for marks in every for placed in marks.points.values() for point in placed]
    boxes, masks = sum(len(marks.boxes) for marks in every), sum(len(marks.masks) for marks in every)
    frames = {frame for marks in every for frame in marks.frames}
    parts = []
    if points:
        excluding = sum(not point.include for point in points)
        aside = f" ({count_of(excluding, 'excludes', 'exclude')})" if excluding else ""
        parts.append(count_of(len(points), "point") + aside)
    if boxes:
        parts.append(count_of(boxes, "box", "boxes"))
    if masks:
        parts.append(count_of(masks, "mask"))
    return translated("{1} on {2}", ", ".join(parts), count_of(len(frames), "frame"))


def count_of(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun, for example: 1 frame, 2 frames."""
    return translated(f"{number} {one if number == 1 else many or one + 's'}")
