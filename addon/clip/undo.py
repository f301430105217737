"""Keeps results on disk (takes, finds, suspects) out of Blender's undo: undo and redo leave them as they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import bpy
from bpy.app.handlers import persistent

from ..settings.clip_settings import SUSPECT_FIELDS, ClipSettings, settings_of
from ..settings.pick_settings import KINDS
from .names import follow_names, object_names, renamed


@dataclass(frozen=True, slots=True)
class _Results:
    """The known results of a clip.

    names: of its tracking objects and of its mask's layers.
    takes: by object: the folder of the newest take, its pictures, and the earlier takes.
    suspects: values of SUSPECT_FIELDS.
    repairs: the file of the repairs on offer.
    found: by kind: the folder and the picked numbers.
    """

    names: list[list[str]]
    takes: dict[str, tuple[str, str, str]]
    suspects: list[tuple[Any, ...]]
    repairs: str
    found: dict[str, tuple[str, str]]


_before: dict[int, _Results] = {}  # by the clip's session_uid


@persistent  # type: ignore[untyped-decorator]
def _remember(*_: object) -> None:
    _before.clear()
    for clip in _clips():
        follow_names(clip)
        settings = settings_of(clip)
        kinds = {kind: getattr(settings, kind) for kind, _, _ in KINDS}
        _before[clip.session_uid] = _Results(
            object_names(clip),
            {entry.name: (entry.take, entry.pictures, entry.earlier) for entry in settings.objects if entry.take},
            [tuple(getattr(suspect, field) for field in SUSPECT_FIELDS) for suspect in settings.suspects],
            settings.repairs,
            {kind: (found.folder, found.numbers) for kind, found in kinds.items() if found.folder},
        )


@persistent  # type: ignore[untyped-decorator]
def _restore(*_: object) -> None:
    for clip in _clips():
        if (before := _before.get(clip.session_uid)) is not None:
            follow_names(clip)
            _take_over(settings_of(clip), before, object_names(clip))
    _before.clear()


def _take_over(settings: ClipSettings, before: _Results, names: list[list[str]]) -> None:
    new_names = {old: new for pair in zip(before.names, names, strict=True) for old, new in renamed(*pair)}
    for name, (take, pictures, earlier) in before.takes.items():
        entry = settings.entry(new_names.get(name, name))
        entry.take, entry.pictures, entry.earlier = take, pictures, earlier
    settings.suspects.clear()
    for values in before.suspects:
        item = settings.suspects.add()
        for field, value in zip(SUSPECT_FIELDS, values, strict=True):
            setattr(item, field, value)
        item.object_name = new_names.get(item.object_name, item.object_name)
    settings.repairs = before.repairs
    for kind, (folder, numbers) in before.found.items():
        found = getattr(settings, kind)
        if PurePath(found.folder).name != PurePath(folder).name:  # its numbers belong to another result
            found.numbers = numbers
        found.folder = folder


def undo_step(name: str) -> None:
    """Push an undo step for a change of settings without an operator, such as the result of a run that ends later."""
    windows = bpy.context.window_manager.windows
    if windows and not bpy.app.background:  # without a window there is no undo
        with bpy.context.temp_override(window=windows[0]):
            bpy.ops.ed.undo_push(message=name)


def _clips() -> list[bpy.types.MovieClip]:
    return [clip for clip in bpy.data.movieclips if clip.is_editable]


def _handlers() -> list[tuple[list[Any], Any]]:
    handlers = bpy.app.handlers
    return [
        (handlers.undo_pre, _remember),
        (handlers.redo_pre, _remember),
        (handlers.undo_post, _restore),
        (handlers.redo_post, _restore),
    ]


def register() -> None:
    """Start watching."""
    for handlers, function in _handlers():
        handlers.append(function)


def unregister() -> None:
    """Stop watching."""
    for handlers, function in _handlers():
        handlers.remove(function)
    _before.clear()
