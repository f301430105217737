"""Finished mattes for the overlay, with refined edges, requested when finishing, the frame or its mattes have changed.

Nothing is tracked for them, and nothing here waits for the engine. One request at a time is pending, and the next one
asks for the newest state. Until its answer arrives, mattes are shown as they were tracked.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from ..clip.editors import clip_editors, redraw
from ..clip.footage import shown_frame
from ..contract.job_types import refining
from ..contract.layout import matte_file, take_of
from ..contract.targets import TARGETS
from ..results.take_reader import read_finished
from ..runtime.engine_client import Reply
from ..runtime.log_file import logged
from ..settings.clip_settings import settings_of
from ..settings.mask_changes import changes
from ..tasks import job_run
from .latest_request import LatestRequest
from .sources import Source, made_at, sources_of

_TICK = 0.1  # seconds
_KEPT = 8  # frames whose finished mattes are kept


@dataclass(frozen=True, slots=True)
class Finished:
    """The finished mattes of a frame.

    made: in nanoseconds, like file times.
    soft: whether greys are kept, as in the export.
    alpha: uint8 (h, w) by object, upright, and the STATIC_AREA, if the clip has static masks; all of one size.
    """

    made: int
    soft: bool
    alpha: dict[str, NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class _Key:
    """Everything that the finished mattes of a frame depend on."""

    soft: bool
    other: tuple[object, ...]


_finished: dict[_Key, Finished] = {}
_latest = LatestRequest[_Key]()
_as_opened: dict[int, object] = {}  # finishing at the first check, by the clip's session_uid


def finished_of(clip: bpy.types.MovieClip, frame: int, sources: Mapping[str, Source]) -> Finished | None:
    """Return the finished mattes of `sources`; None if there are none, or they have not arrived yet.

    Automatically found masks are not finished, and not included.
    """
    return _finished.get(_key(clip, frame, sources)) if _is_on(clip) else None


def error() -> str:
    """Return why the last request failed; empty if it did not."""
    return _latest.error


def request(clip: bpy.types.MovieClip, frame: int) -> Reply:
    """Request the finished mattes of a clip frame. Raises MatteError."""
    sources = sources_of(clip, frame)
    takes = {name: str(take_of(source.file)) if source.file else "" for name, source in sources.items()}
    return _latest.ask(_key(clip, frame, sources), lambda: job_run.request_finished(clip, frame, takes))


def collect() -> bool:
    """Take in the answer; return whether it has arrived. Raises MatteError if the request failed."""
    answered = _latest.answer()
    if answered is None:
        return False
    key, result = answered
    while len(_finished) >= _KEPT:
        _finished.pop(next(iter(_finished)))
    _finished[key] = Finished(time.time_ns(), key.soft, read_finished(Path(result["file"])))
    return True


def _key(clip: bpy.types.MovieClip, frame: int, sources: Mapping[str, Source]) -> _Key:
    settings = settings_of(clip)
    finishing = tuple((entry.name, entry.finishing.state()) for entry in settings.objects if entry.finishing.is_on)
    neighbours = []  # frames that the temporal median uses
    for entry in settings.objects:
        source = sources.get(entry.name)
        reach = entry.finishing.temporal
        if reach and source and source.file:
            take = take_of(source.file)
            neighbours += [made_at(matte_file(take, at)) for at in range(max(1, frame - reach), frame + reach + 1)]
    frames = (settings.direction, settings.use_range, settings.range_start, settings.range_end)
    shown = tuple(sorted(sources.items(), key=str))
    made_from = shown, tuple(neighbours), _static_of(clip)
    other = (clip.name, frame, *made_from, finishing, changes(), settings.refine, *frames)
    return _Key(TARGETS[settings.target].rules.keeps_greys(settings.greys), other)


def _is_on(clip: bpy.types.MovieClip) -> bool:
    settings = settings_of(clip)
    width, height = clip.size[0], clip.size[1]  # type: ignore[index]
    if any(_static_of(clip)):
        return True
    return refining(settings.refine, width, height) != "off" or any(
        entry.use and entry.finishing.is_on for entry in settings.objects
    )


def _static_of(clip: bpy.types.MovieClip) -> tuple[str, str]:
    """Return the names of the clip's static mask and static image; empty where there is none."""
    settings = settings_of(clip)
    return settings.static_mask.name_full if settings.static_mask else "", settings.static_file


@logged
def _tick() -> float:
    with _latest.failing():
        if collect():
            redraw()
        if not _latest.is_pending:
            _send()
    return _TICK


def _send() -> None:
    """Request the shown frame, unless its finished mattes are known or were refused."""
    scene = bpy.context.scene
    for _, space in clip_editors():
        clip = space.clip
        if scene is None or clip is None or not settings_of(clip).overlay_show:
            continue
        if not _has_acted(clip) or not _is_on(clip):
            continue
        frame = shown_frame(clip, space, scene)
        sources = sources_of(clip, frame)
        key = _key(clip, frame, sources)
        if (sources or any(_static_of(clip))) and key != _latest.key and key not in _finished:
            request(clip, frame)
            return


def _has_acted(clip: bpy.types.MovieClip) -> bool:
    """Whether the artist has used the extension on this clip since it was opened. Opening a file starts no engine."""
    settings = settings_of(clip)
    finishing = tuple((entry.name, entry.finishing.state()) for entry in settings.objects)
    now = settings.refine, _static_of(clip), finishing
    return job_run.was_asked(clip) or _as_opened.setdefault(clip.session_uid, now) != now


def register() -> None:
    """Start the timer, which is not needed without a window."""
    if not bpy.app.background:
        bpy.app.timers.register(_tick, first_interval=_TICK, persistent=True)


def unregister() -> None:
    """Stop the timer and forget all mattes."""
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    forget()


def forget() -> None:
    """Forget the mattes, because another file was loaded."""
    _finished.clear()
    _latest.forget()
