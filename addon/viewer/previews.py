"""Previews: the marked frame's matte at once, on request or, with *Live*, after each change of a mark.

The newest request wins: a late answer to an older one is dropped. Nothing here waits for the engine.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from ..clip.editors import clip_editors, redraw, redraw_sidebars
from ..clip.footage import shown_frame
from ..clip.names import follow_names
from ..clip.summary import summary_of
from ..clip.to_job import checkpoint_of
from ..language import translated
from ..results.take_reader import read_preview
from ..runtime.engine_client import Reply, is_starting
from ..runtime.log_file import logged
from ..settings.clip_settings import settings_of
from ..tasks import job_run
from .latest_request import LatestRequest

_TICK = 0.2  # seconds; a change is sent once nothing has changed for one tick
_KEPT = 64  # previewed frames


@dataclass(frozen=True, slots=True)
class Preview:
    """The mattes of one frame: logits float32 (h, w) by object, upright. made: in nanoseconds, like file times."""

    made: int
    logits: dict[str, NDArray[np.float32]] = field(default_factory=dict)


_previews: dict[tuple[str, int], Preview] = {}
_latest = LatestRequest[tuple[str, int]]()
_seen: object = None  # the marks at the last tick
_sent: object = None  # the marks of the last request by *Live*


def preview_of(clip: str, frame: int) -> Preview | None:
    """Return the newest preview of a clip frame, or None."""
    return _previews.get((clip, frame))


def waiting(clip: str) -> str:
    """Describe what a pending preview of a clip waits for; empty if none is pending."""
    if not _latest.is_pending or _latest.key is None or _latest.key[0] != clip:
        return ""
    return translated("Starting the Engine" if is_starting() else "Previewing")


def error() -> str:
    """Return why the last preview failed; empty if it did not."""
    return _latest.error


def request(clip: bpy.types.MovieClip, frame: int) -> Reply:
    """Request the mattes of a clip frame. Raises MatteError if the clip makes no Job or the engine can't be started."""
    reply = _latest.ask((clip.name, frame), lambda: job_run.request_preview(clip, frame))
    redraw_sidebars()  # they show that a preview is pending
    return reply


def take_in(file: Path, clip: str, frame: int) -> None:
    """Keep the engine's answer."""
    while len(_previews) >= _KEPT:
        _previews.pop(next(iter(_previews)))
    _previews.pop((clip, frame), None)
    preview = Preview(time.time_ns(), read_preview(file))
    _previews[clip, frame] = preview
    if clip in bpy.data.movieclips:
        for name in preview.logits:
            settings_of(bpy.data.movieclips[clip]).entry(name)  # so that it has finishing settings


@logged
def _tick() -> float:
    for _, space in clip_editors():
        if space.clip is not None and space.clip.is_editable:
            follow_names(space.clip)
    with _latest.failing():
        if (answered := _latest.answer()) is not None:
            (clip, frame), result = answered
            take_in(Path(result["file"]), clip, frame)
            redraw()
        _send()
    return _TICK


def _send() -> None:
    """With *Live*, request the shown frame once its marks have not changed for one tick."""
    global _seen, _sent
    editor = next((space for _, space in clip_editors() if space.clip and settings_of(space.clip).live), None)
    if editor is None:
        _seen = _sent = None
        return
    clip = editor.clip
    frame = shown_frame(clip, editor, bpy.context.scene)
    marked = _marked(clip, frame)
    stood, _seen = marked == _seen, marked
    if marked is not None and stood and marked != _sent:
        _sent = marked
        request(clip, frame)


def _marked(clip: bpy.types.MovieClip, frame: int) -> object:
    """Return everything that a preview of the frame depends on; None if it has no marks. Reads no file."""
    found = summary_of(clip).prompts
    marks = found.marks if found else {}
    prompts = [(name, prompt) for name, mark in marks.items() for prompt in mark.prompts() if prompt.frame == frame]
    settings = settings_of(clip)
    model = (checkpoint_of(settings), settings.checkpoint_file, settings.checkpoint_config)
    return (clip.name, frame, prompts, model) if prompts else None


def register() -> None:
    """Start the timer, which is not needed without a window."""
    if not bpy.app.background:
        bpy.app.timers.register(_tick, first_interval=_TICK, persistent=True)


def unregister() -> None:
    """Stop the timer and forget all previews."""
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    forget()


def forget() -> None:
    """Forget the previews, because another file was loaded."""
    global _seen, _sent
    _previews.clear()
    _latest.forget()
    _seen = _sent = None
