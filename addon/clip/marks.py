"""Adds and removes marks. A point is a track with one marker, a box is a plane track on four hidden tracks.

References to tracks are invalid after undo, so tracks are identified by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy

from ..settings.palette import EXCLUDE, INCLUDE
from .names import follow_names
from .prompts import Mark

_CORNER = "Box Corner"  # name of the tracks of a box
_FIRST = "Subject"  # name of the first object; Blender's own is called Camera

Corners = tuple[tuple[float, float], tuple[float, float]]  # two opposite ones, 0..1 from the frame's bottom left


def add_point(clip: bpy.types.MovieClip, frame: int, place: tuple[float, float], include: bool) -> None:
    """Add a marker and make it the only selected one.

    Args:
        clip: a clip with an active tracking object.
        frame: the clip frame.
        place: (u, v), 0 to 1 from the frame's bottom left.
        include: True on the subject, False beside it.
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
    """Add a plane track on new tracks; it replaces an earlier box of this extension on the same frame.

    Args:
        space: the context's clip editor, which shows the clip.
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
    """Remove one marker; if no other one of the track or plane track counts as a prompt, remove that altogether.

    Args:
        space: the context's clip editor, which shows the clip.
        name: name of the tracking object.
        mark: a mark of a track or plane track of that object.
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
    """Return the tracks of the box that `add_box` made on a frame."""
    corners = (track for track in marked.tracks if track.hide and track.name.startswith(_CORNER))
    return [track.name for track in corners if track.markers.find_frame(frame) is not None]


def _remove(space: bpy.types.SpaceClipEditor, name: str, planes: list[str], tracks: list[str]) -> None:
    """Delete plane tracks and tracks with Blender's operator, which deletes what is selected and visible."""
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
    """Switch the editor to tracking mode, as Blender's operators on tracks refuse to work in mask mode."""
    before, space.mode = space.mode, "TRACKING"
    try:
        yield
    finally:
        space.mode = before


def _object_to_mark(clip: bpy.types.MovieClip) -> bpy.types.MovieTrackingObject:
    """Return the active object, or a new one if the clip only has an empty Camera, which Blender's solver uses."""
    objects = clip.tracking.objects
    if len(objects) == 1 and is_empty_camera(objects[0]):
        objects.active = objects.new(_FIRST)
        follow_names(clip)
    return objects.active


def is_empty_camera(tracking_object: bpy.types.MovieTrackingObject) -> bool:
    """Whether it is the object that every clip has, and empty."""
    return tracking_object.is_camera and not tracking_object.tracks and not tracking_object.plane_tracks
