"""Marks as an artist sets them: a point is a track with one marker, a box a plane track on four hidden tracks.

Track references dangle after undo, so tracks are known by their names.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy

from ..settings.palette import EXCLUDE, INCLUDE
from .names import follow_names
from .prompts import Mark

_CORNER = "Box Corner"  # what the tracks of a box are called
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
    """Add a plane track, on tracks of its own, in place of another one that was added so on this frame.

    Args:
        space: the editor of the context, which shows the clip.
        frame: the clip frame.
        corners: the box.
    """
    clip = space.clip
    marked = _object_to_mark(clip)
    for plane in list(marked.plane_tracks):
        if len(plane.markers) == 1 and plane.markers[0].frame == frame:
            _remove(space, marked.name, [plane.name], _corners(marked, frame))
    for track in marked.tracks:
        track.select = False
    (left, right), (bottom, top) = (sorted(side) for side in zip(*corners, strict=True))
    holders = []
    for place in ((left, bottom), (right, bottom), (right, top), (left, top)):
        track = marked.tracks.new(name=_CORNER, frame=frame)
        track.markers.insert_frame(frame, co=place)
        track.select = True
        holders.append(track.name)
    with _tracking(space):
        bpy.ops.clip.create_plane_track()
    for name in holders:
        marked.tracks[name].hide = True
    placed = next(marker for marker in marked.plane_tracks[-1].markers if marker.frame == frame)
    placed.corners = ((left, bottom), (right, bottom), (right, top), (left, top))


def remove_mark(space: bpy.types.SpaceClipEditor, name: str, mark: Mark) -> None:
    """Remove one marker; with its last one that counts, the whole track or plane track.

    Args:
        space: the editor of the context, which shows the clip.
        name: of the tracking object.
        mark: of a track or plane track of that object.
    """
    marked = space.clip.tracking.objects[name]
    holders = marked.plane_tracks if mark.kind == "box" else marked.tracks
    holder = holders[mark.track]
    if any(not marker.mute and marker.frame != mark.frame for marker in holder.markers):
        holder.markers.delete_frame(mark.frame)
    elif mark.kind == "box":
        _remove(space, name, [mark.track], _corners(marked, mark.frame))
    else:
        _remove(space, name, [], [mark.track])


def _corners(marked: bpy.types.MovieTrackingObject, frame: int) -> list[str]:
    """The tracks of the box that `add_box` has made on a frame."""
    corners = (track for track in marked.tracks if track.hide and track.name.startswith(_CORNER))
    return [track.name for track in corners if track.markers.find_frame(frame) is not None]


def _remove(space: bpy.types.SpaceClipEditor, name: str, planes: list[str], tracks: list[str]) -> None:
    """By Blender's own operator, which deletes what is selected and seen in the active object."""
    objects = space.clip.tracking.objects
    before, objects.active = objects.active.name, objects[name]
    selected = [track.name for track in objects[name].tracks if track.select and track.name not in tracks]
    for track in objects[name].tracks:
        track.select = track.name in tracks
        track.hide = track.hide and not track.select
    for plane in objects[name].plane_tracks:
        plane.select = plane.name in planes
    with _tracking(space):
        bpy.ops.clip.delete_track()
    for kept in selected:
        objects[name].tracks[kept].select = True
    objects.active = objects[before]


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
