"""Adds the finishing settings of a clip's objects to its Job."""

from __future__ import annotations

import dataclasses

import bpy

from ..contract.job_types import Finishing, Garbage, MatteObject
from ..settings.clip_settings import settings_of
from .coordinates import ClipCoordinates
from .mask import read_garbage


def with_finishing(
    clip: bpy.types.MovieClip, coordinates: ClipCoordinates, objects: tuple[MatteObject, ...], ignored: list[str]
) -> tuple[MatteObject, ...]:
    """Return the objects with their finishing, and append what is left out, with reasons, to `ignored`.

    Raises JobError if a mask can't be read.
    """
    names = [matte_object.name for matte_object in objects]
    return tuple(
        dataclasses.replace(matte_object, finishing=_read(clip, coordinates, matte_object.name, names, ignored))
        for matte_object in objects
    )


def _read(
    clip: bpy.types.MovieClip, coordinates: ClipCoordinates, name: str, names: list[str], ignored: list[str]
) -> Finishing:
    entry = settings_of(clip).objects.get(name)
    if entry is None or not entry.finishing.is_on:
        return Finishing()
    settings = entry.finishing
    subtract = settings.subtract
    if subtract and (subtract == name or subtract not in names):
        ignored.append(f"{subtract} is not subtracted from {name}: choose another object that is marked and in use.")
        subtract = ""
    garbage: tuple[Garbage, ...] = ()
    if settings.garbage is not None:
        garbage = read_garbage(settings.garbage, coordinates, lambda frame: frame - clip.frame_start + 1, ignored)
    return Finishing(
        temporal=settings.temporal,
        fill_holes=settings.fill_holes,
        remove_islands=settings.remove_islands,
        smooth=settings.smooth,
        grow=settings.grow,
        subtract=subtract,
        invert=settings.invert,
        soft=settings.soft,
        feather=settings.feather,
        garbage=garbage,
    )
