"""Adds and removes marks. A point is a track with one marker, a box is a plane track on four hidden tracks.

References to tracks are invalid after undo, so tracks are identified by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import bpy

from ..settings.clip_settings import settings_of
from ..settings.palette import EXCLUDE, INCLUDE
from .footage import scene_frame
from .mask_keyframes import forget_shape_keys
from .names import follow_names
from .prompts import Mark
from .strokes import annotation_of, remove_strokes

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
    with _mode(space, "TRACKING"):
        bpy.ops.clip.create_plane_track()
    for name in holders:
        marked.tracks[name].hide = True
    placed = next(marker for marker in marked.plane_tracks[-1].markers if marker.frame == frame)
    placed.corners = ((left, bottom), (right, bottom), (right, top), (left, top))


def is_there(clip: bpy.types.MovieClip, name: str, mark: Mark) -> bool:
    """Return whether what holds a mark of a tracking object still exists."""
    mask, annotation = settings_of(clip).mask, annotation_of(clip)
    marked: bpy.types.MovieTrackingObject | None = clip.tracking.objects.get(name)
    if mark.kind == "mask":
        return mask is not None and mark.holder in mask.layers
    if mark.kind == "strokes":
        return annotation is not None and mark.holder in annotation.layers
    return marked is not None and mark.holder in (marked.plane_tracks if mark.kind == "box" else marked.tracks)


def remove_mark(context: bpy.types.Context, name: str, mark: Mark) -> None:
    """Remove one mark: a marker, a key of a mask's layer, or all strokes of an annotation's layer on a frame.

    If no other marker of the track or plane track counts as a prompt, remove that altogether.

    Args:
        context: the context of a clip editor that shows the clip.
        name: name of the tracking object.
        mark: a mark of that object; what holds it has to exist.
    """
    space: bpy.types.SpaceClipEditor = context.space_data  # type: ignore[assignment]
    if mark.kind == "mask":
        _remove_key(context, space, mark)
        return
    if mark.kind == "strokes":
        remove_strokes(space.clip, mark.holder, mark.frame)
        return
    marked = space.clip.tracking.objects[name]
    holders = marked.plane_tracks if mark.kind == "box" else marked.tracks
    holder = holders[mark.holder]
    if any(not marker.mute and marker.frame != mark.frame for marker in holder.markers):
        holder.markers.delete_frame(mark.frame)
    elif mark.kind == "box":
        _remove(space, name, [mark.holder], _corners(marked, mark.frame))
    else:
        _remove(space, name, [], [mark.holder])


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
    with _mode(space, "TRACKING"):
        bpy.ops.clip.delete_track()
    for kept in selected:
        objects[name].tracks[kept].select = True
    objects.active = objects[before]


def _remove_key(context: bpy.types.Context, space: bpy.types.SpaceClipEditor, mark: Mark) -> None:
    """Remove a key with Blender's operator, which removes the keys of all visible layers on the scene's frame."""
    mask, scene = settings_of(space.clip).mask, context.scene
    hidden = [layer.hide for layer in mask.layers]
    shown, frame = space.mask, scene.frame_current
    try:
        for layer in mask.layers:
            layer.hide = layer.name != mark.holder
        scene.frame_current = scene_frame(space.clip, mark.frame)
        with _mode(space, "MASK"):
            space.mask = mask
            bpy.ops.mask.shape_key_clear()
    finally:
        space.mask, scene.frame_current = shown, frame
        for layer, hide in zip(mask.layers, hidden, strict=True):
            layer.hide = hide
    forget_shape_keys()


@contextmanager
def _mode(space: bpy.types.SpaceClipEditor, mode: Literal["TRACKING", "MASK"]) -> Iterator[None]:
    """Switch the editor's mode: Blender's operators on tracks refuse to work in mask mode, those on masks elsewhere."""
    before, space.mode = space.mode, mode
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
