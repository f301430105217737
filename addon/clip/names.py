"""Follows renamed objects and moved footage, so that settings and mattes are found again.

Tracking objects and mask layers can't hold custom data, so settings are found by name. Blender does not report renames,
so names, and the path of the footage, are compared with those of the last check: by a timer while there is a window,
and before each Job.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import PurePath

import bpy

from ..contract.errors import MatteError
from ..contract.job_types import DEFAULT_MEMORY, FIRST_MEMORY
from ..contract.layout import searches_folder, takes_folder
from ..settings.clip_settings import ClipSettings, settings_of
from .footage import matte_folder, read_footage
from .mask import repaired_object


def follow_names(clip: bpy.types.MovieClip) -> None:
    """Rename the settings of renamed objects, and add settings for new ones."""
    settings = settings_of(clip)
    if not settings.is_property_set("memory"):
        # settings from an earlier release keep the behaviour of that time, whatever the default is now
        settings.memory = FIRST_MEMORY if settings.objects else DEFAULT_MEMORY
    now = object_names(clip)
    place = [bpy.path.abspath(clip.filepath, library=clip.library), settings.output]
    if settings.beside:
        place.append("beside")
    text = json.dumps([*now, place])
    if text == settings.names:
        return
    *before, before_place = json.loads(settings.names) if settings.names else ([], [], place)
    taken = [name for names in now for name in names]
    for old, new in (pair for names in zip(before, now, strict=True) for pair in renamed(*names)):
        if old not in taken:
            _rename(settings, old, new)
    for name in taken:
        settings.entry(name)
    if place != before_place and not _relocate(clip, settings):
        return  # checked again until the footage is found
    settings.names = text


def object_names(clip: bpy.types.MovieClip) -> list[list[str]]:
    """Return the names of its tracking objects, and of its mask's layers without those of repairs."""
    mask = settings_of(clip).mask
    return [
        [tracking_object.name for tracking_object in clip.tracking.objects],
        [layer.name for layer in mask.layers if not repaired_object(layer.name)] if mask else [],
    ]


def _relocate(clip: bpy.types.MovieClip, settings: ClipSettings) -> bool:
    """Look for the mattes beside the footage's present location; return False if the footage is not there."""
    try:
        folder = matte_folder(clip, read_footage(clip)[0])
    except MatteError:
        return False
    for entry in settings.objects:
        takes = [takes_folder(folder) / PurePath(take).name for take in entry.takes()]
        if takes and takes[0].is_dir():
            entry.take, entry.earlier = str(takes[0]), "\n".join(map(str, takes[1:]))
    for found in (settings.things, settings.parts):
        there = searches_folder(folder) / PurePath(found.folder).name
        if found.folder and there.is_dir():
            found.folder = str(there)
    return True


def renamed(before: Sequence[str], now: Sequence[str]) -> list[tuple[str, str]]:
    """Return (old, new) names of entries that were renamed in place; none if entries were added or removed."""
    if len(before) != len(now):
        return []
    pairs = zip(before, now, strict=True)
    return [(old, new) for old, new in pairs if old != new and old not in now and new not in before]


def _rename(settings: ClipSettings, old: str, new: str) -> None:
    for suspect in settings.suspects:
        if suspect.object_name == old:
            suspect.object_name = new
    for other in settings.objects:
        if other.finishing.subtract == old:
            other.finishing.subtract = new
    entry = settings.objects.get(old)
    if entry is None:
        return
    leftover = settings.objects.find(new)  # settings of an object that was removed
    if leftover >= 0:
        settings.objects.remove(leftover)
        entry = settings.objects.get(old)
    entry.name = new
