"""Held frames of a clip's objects: from the mattes that the artist sees, to the Job."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

import bpy

from ..contract.errors import JobError
from ..contract.held_mattes import held_of
from ..contract.job_types import MatteObject
from ..contract.layout import is_take
from ..results.take_reader import tracked_frames
from ..settings.clip_settings import ObjectSettings, settings_of
from .footage import scene_frame


def with_held(clip: bpy.types.MovieClip, objects: tuple[MatteObject, ...]) -> tuple[MatteObject, ...]:
    """Return the objects with their held frames."""
    entries = settings_of(clip).objects
    return tuple(
        dataclasses.replace(matte_object, held=entries[matte_object.name].held_runs())
        if matte_object.name in entries
        else matte_object
        for matte_object in objects
    )


def hold(clip: bpy.types.MovieClip, name: str, frames: Iterable[int]) -> None:
    """Hold the mattes of an object's clip frames as they are shown now. Frames that are held already do not change.

    Raises:
        JobError: a frame has no matte.
        OutputError: a matte is damaged.
    """
    entry = settings_of(clip).entry(name)
    takes = _seen(entry, set(frames) - entry.held_frames())
    for frame, take in takes.items():
        if take is None:
            raise JobError(
                f"Frame {scene_frame(clip, frame)} of {name} has no matte to hold.",
                hint="Track it first, or hold fewer frames.",
            )
    entry.hold((*entry.held_runs(), *held_of({frame: take for frame, take in takes.items() if take is not None})))


def hold_before(clip: bpy.types.MovieClip, name: str, here: int, marked: Sequence[int]) -> None:
    """Hold all clip frames before `here` that have a matte, so that a correction there only affects later frames.

    Args:
        clip: the clip.
        name: the object.
        here: the clip frame of the correction.
        marked: the clip frames on which the object is marked, ascending.

    Raises:
        JobError: a frame between the first mark and `here` has no matte, there is no mark to start from, or tracking
            goes in the other direction.
        OutputError: a matte is damaged.
    """
    settings = settings_of(clip)
    entry = settings.entry(name)
    shown = scene_frame(clip, here)
    if settings.direction == "backward":
        raise JobError("The direction is Backward.", hint="Set it to Forward or Both Ways.")
    if here not in marked:
        raise JobError(f"Nothing is marked on frame {shown}.", hint="Mark there what is wrong.")
    if marked[0] == here:
        raise JobError(f"No frame before {shown} is marked.", hint="Press Track.")
    if here in entry.held_frames():
        raise JobError(f"Frame {shown} is held.", hint="Release it, or mark a later frame.")
    seen = {frame for take in entry.takes() for frame in tracked_frames(take)}
    before = {frame for frame in seen if frame < here}
    hold(clip, name, before.union(range(marked[0], here)))


def _seen(entry: ObjectSettings, frames: Iterable[int]) -> dict[int, Path | None]:
    """Return by frame the folder of the newest take that has it, which is the one shown; None if there is none."""
    takes = [(Path(take), tracked_frames(take)) for take in entry.takes() if is_take(Path(take))]
    return {frame: next((take for take, has in takes if frame in has), None) for frame in sorted(frames)}
