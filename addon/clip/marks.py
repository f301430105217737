"""Marks as an artist sets them: a point is a track with one marker, a box a plane track on four hidden tracks.

Track references dangle after undo, so tracks are known by their names.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy

from ..settings.palette import EXCLUDE, INCLUDE
from .names import follow_names

_FIRST = "Subject"  # what the first object is called: Blender's own is called Camera

Corners = tuple[tuple[float, float], tuple[float, float]]  # two opposite ones, 0..1 from the frame's bottom left


def add_point(clip: bpy.types.MovieClip, frame: int, place: tuple[float, float], include: bool) -> None:
    """Add a marker, and select it alone.

    Args:
        clip: with an active tracking object.
        frame: the clip frame.
        place: 0..1 from the frame's bottom left.
        include: whether it is on the subject.
    """
    tracks = _object_to_mark(clip).tracks
    for other in tracks:
        other.select = False
    track = tracks.new(name="Include" if include else "Exclude", frame=frame)
    track.markers.insert_frame(frame, co=place)
    track.use_custom_color = True
    track.color = INCLUDE if include else EXCLUDE
    track.select = True


def add_box(space: bpy.types.SpaceClipEditor, frame: int, corners: Corners) -> None:
    """Add a plane track, on tracks of its own.

    Args:
        space: the editor of the context, which shows the clip.
        frame: the clip frame.
        corners: the box.
    """
    clip = space.clip
    marked = _object_to_mark(clip)
    for track in marked.tracks:
        track.select = False
    (left, right), (bottom, top) = (sorted(side) for side in zip(*corners, strict=True))
    holders = []
    for place in ((left, bottom), (right, bottom), (right, top), (left, top)):
        track = marked.tracks.new(name="Box Corner", frame=frame)
        track.markers.insert_frame(frame, co=place)
        track.select = True
        holders.append(track.name)
    with _tracking(space):
        bpy.ops.clip.create_plane_track()
    for name in holders:
        marked.tracks[name].hide = True
    placed = next(marker for marker in marked.plane_tracks[-1].markers if marker.frame == frame)
    placed.corners = ((left, bottom), (right, bottom), (right, top), (left, top))


@contextmanager
def _tracking(space: bpy.types.SpaceClipEditor) -> Iterator[None]:
    """Blender's own operators on tracks refuse to work while an editor is there for masks."""
    before, space.mode = space.mode, "TRACKING"
    try:
        yield
    finally:
        space.mode = before


def _object_to_mark(clip: bpy.types.MovieClip) -> bpy.types.MovieTrackingObject:
    """The active one. As long as there is only Blender's own, and it is empty, a new one: Camera is what it solves."""
    objects = clip.tracking.objects
    if len(objects) == 1 and is_empty_camera(objects[0]):
        objects.active = objects.new(_FIRST)
        follow_names(clip)
    return objects.active


def is_empty_camera(tracking_object: bpy.types.MovieTrackingObject) -> bool:
    """Whether it is the object that every clip has, and has nothing in it."""
    return tracking_object.is_camera and not tracking_object.tracks and not tracking_object.plane_tracks
