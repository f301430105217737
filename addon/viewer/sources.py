"""Finds the matte that is shown for each object on a frame: the newest of tracked and previewed ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from ..contract.automatic import number_of
from ..contract.layout import matte_file
from ..results.picks import part_files, read_part, thing_files
from ..results.take_reader import read_logits
from ..settings.clip_settings import settings_of
from . import previews


@dataclass(frozen=True, slots=True)
class Source:
    """Where a matte is: a file of the matte store, an index of parts, or None for the frame's preview; its time."""

    made: int
    file: Path | None


def sources_of(clip: bpy.types.MovieClip, frame: int) -> dict[str, Source]:
    """Return sources by object, in no order, for objects that are in use and have a matte on the frame."""
    settings = settings_of(clip)
    preview = previews.preview_of(clip.name, frame)
    names: dict[str, list[str]] = {entry.name: entry.takes() for entry in settings.objects}
    names |= {name: names.get(name, []) for name in (preview.logits if preview else ())}
    found = {}
    for name, takes in names.items():
        if settings.uses(name) and (source := _source(clip, name, takes, frame)):
            found[name] = source
    return found


def found_of(clip: bpy.types.MovieClip, frame: int) -> dict[str, Source]:
    """Return sources of automatically found masks on this frame, by name.

    Only picked ones, if any are picked; for things, all of them until something is picked.
    """
    settings = settings_of(clip)
    if not settings.found.folder:
        return {}
    files = part_files if settings.automatic == "parts" else thing_files
    there = files(Path(settings.found.folder), frame, settings.found.picked())
    return {name: Source(made, file) for name, file in there.items() if (made := made_at(file))}


def made_at(file: Path) -> int:
    """Return a file's modification time in nanoseconds; 0 if it does not exist."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def _source(clip: bpy.types.MovieClip, name: str, takes: list[str], frame: int) -> Source | None:
    """Return the matte of the newest take that has the frame: an earlier take's counts until the frame is tracked
    again.
    """
    files = ((matte_file(Path(take), frame)) for take in takes)
    file, made = next(((file, made) for file in files if (made := made_at(file))), (None, 0))
    preview = previews.preview_of(clip.name, frame)
    if preview is not None and name in preview.logits and preview.made > made:
        return Source(preview.made, None)
    return Source(made, file) if made else None


def read(clip: bpy.types.MovieClip, frame: int, name: str, source: Source) -> NDArray[np.float32] | None:
    """Read a matte: logits (h, w), upright, above 0 inside the subject; None if it is gone."""
    if source.file is not None:
        return read_part(source.file, number_of(name)) if source.file.suffix == ".json" else read_logits(source.file)
    preview = previews.preview_of(clip.name, frame)
    return preview.logits.get(name) if preview else None
