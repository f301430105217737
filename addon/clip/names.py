"""Follows what objects are called, so that one that is renamed keeps its settings and its mattes.

Tracking objects and mask layers can't hold data, so settings are found by name, and Blender tells nobody of a new one:
their names are compared with those of the last look. Looked at by a clock while there is a window, and before each Job.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import bpy

from ..properties import ClipSettings, settings_of


def follow_names(clip: bpy.types.MovieClip) -> None:
    """Make every object's settings go by its present name; new objects get settings of their own."""
    settings = settings_of(clip)
    layers = [each.name for each in settings.mask.layers] if settings.mask else []
    now = [[each.name for each in clip.tracking.objects], layers]
    text = json.dumps(now)
    if text == settings.names:
        return
    before = json.loads(settings.names) if settings.names else [[], []]
    taken = [name for names in now for name in names]
    for old, new in (each for names in zip(before, now, strict=True) for each in renamed(*names)):
        if old not in taken:
            _rename(settings, old, new)
    for name in taken:
        settings.entry(name)
    settings.names = text


def renamed(before: Sequence[str], now: Sequence[str]) -> list[tuple[str, str]]:
    """Old and new name of what kept its place and got a name that is new. None if something came or went."""
    if len(before) != len(now):
        return []
    pairs = zip(before, now, strict=True)
    return [(old, new) for old, new in pairs if old != new and old not in now and new not in before]


def _rename(settings: ClipSettings, old: str, new: str) -> None:
    for suspect in settings.suspects:
        if suspect.object_name == old:
            suspect.object_name = new
    entry = settings.objects.get(old)
    if entry is None:
        return
    leftover = settings.objects.find(new)  # of an object that was removed
    if leftover >= 0:
        settings.objects.remove(leftover)
        entry = settings.objects.get(old)
    entry.name = new
