"""The Job that is running and those that wait for it: started, watched and stopped by operators, panels, command line.

One runs at a time. What is asked for meanwhile waits its turn, as the Job that it was when it was asked for.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import bpy

from ..clip.footage import pictures_of
from ..clip.poses import write_poses
from ..clip.to_job import make_automatic_job, make_job
from ..clip.transport import Towards, towards
from ..contract.automatic import Search
from ..contract.errors import Cancelled, JobError, MatteError
from ..contract.job import Job
from ..contract.layout import cameras_file
from ..contract.protocol import Event
from ..contract.requests import (
    Clean,
    Export,
    Finish,
    Found,
    Outlines,
    Preview,
    Request,
    Retrack,
    Review,
    Suggest,
    Track,
)
from ..language import translated
from ..runtime.engine_client import Engine, Reply, shared_engine
from ..runtime.json_line_process import EXTENSION
from ..runtime.locate import engine_environment, find_python
from ..runtime.log_file import logged
from ..settings.clip_settings import settings_of
from ..settings.pick_settings import PickSettings, search_of
from ..settings.preferences import device, preferences

_LOG = logging.getLogger(__name__)

Verb = Literal["track", "export", "review", "clean"]

_STAGES = {
    "model": "Loading the model",
    "track": "Tracking",
    "export": "Exporting",
    "clean": "Looking from all cameras",
}


@dataclass(slots=True)
class Run:
    """One Job, on its way or waiting.

    request: what the engine is asked.
    clip: name of the clip.
    shift: from clip frames to those of the scene, which the artist reads.
    pictures: which files of the footage it is about, as clip.footage.pictures_of has it.
    kind: what is found to be picked from, if that is what it does: a name of picking.KINDS.
    folder: where its versions and its matte store are.
    notes: what the artist should know of footage and prompts; the panel shows it anyway.
    warnings: what the engine has to say.
    progress: the latest progress event.
    error: what it ended with; None while it runs and when it succeeded.
    engine, reply: None as long as it waits.
    number: tells it from all others of this session.
    """

    verb: Verb
    request: Request
    clip: str
    folder: Path
    notes: list[str]
    kind: str = ""
    pictures: str = ""
    shift: int = 0
    warnings: list[str] = field(default_factory=list)
    progress: Event | None = None
    stopping: bool = False
    error: MatteError | None = None
    engine: Engine | None = None
    reply: Reply | None = None
    number: int = field(default_factory=itertools.count(1).__next__)

    @property
    def result(self) -> Event | None:
        """The `done` event, once it came."""
        return self.reply.result if self.reply is not None else None

    @property
    def waits(self) -> bool:
        """Whether its turn has not come yet."""
        return self.reply is None and self.error is None

    @property
    def active(self) -> bool:
        """Whether it still runs, or waits."""
        return self.result is None and self.error is None

    def begin(self) -> None:
        """Its turn has come: send it. Raises MatteError if the engine can't be started."""
        _LOG.info("%s of %s", self.verb, self.clip)
        try:
            self.engine = _engine()
        except MatteError as error:
            self.error = error
            raise
        self.reply = self.engine.request(self.request, self.shift)

    @property
    def fraction(self) -> float:
        """How much of the current stage is done, 0..1."""
        return self.progress["done"] / max(1, self.progress["total"]) if self.progress else 0.0

    @logged
    def step(self) -> None:
        """Take in what has happened since the last call, without waiting. Raises MatteError: what it ended with."""
        if self.error is not None:
            raise self.error
        if self.reply is None:
            return
        try:
            for event in self.reply.poll():
                self._note(event)
        except MatteError as error:
            _LOG.info("%s of %s ended: %s", self.verb, self.clip, error)
            self.error = error
            raise

    @logged
    def wait(self, show: Callable[[str], None]) -> None:
        """Until its end; `show` gets lines for the console. Raises MatteError: what it ended with."""
        for note in self.notes:
            show(f"Note: {note}")
        last = ""
        assert self.reply is not None, "only what was begun can be waited for"
        try:
            for event in self.reply:
                self._note(event)
                if event["event"] == "warning":
                    show(f"Warning: {self.warnings[-1]}")
                if self.active and (words := self.in_words()) != last:
                    show(words)
                    last = words
        except MatteError as error:
            self.error = error
            raise
        except KeyboardInterrupt:
            self.stop()
            raise

    def stop(self) -> None:
        """Ask the engine to stop; the run ends when it has. What waits ends at once."""
        self.stopping = True
        if self.reply is None:
            self.error = self.error or Cancelled()
        else:
            self.reply.cancel()

    def in_words(self) -> str:
        """For example: Tracking 12/200, frame 57, 1:30 left."""
        if self.stopping:
            return translated("Stopping")
        if self.waits:
            return translated("Waiting")
        event = self.progress
        if event is None:
            return translated("Checking" if self.verb == "review" else "Starting the engine")
        words = translated(_STAGES[event["stage"]])
        if event["stage"] != "model":
            frame = event["frame"] + self.shift
            words = translated(f"{words} {event['done']}/{event['total']}, frame {frame}")
        left = event.get("seconds_left")
        return words if left is None else translated(f"{words}, {int(left) // 60}:{int(left) % 60:02d} left")

    def _note(self, event: Event) -> None:
        if event["event"] == "progress":
            self.progress = event
        elif event["event"] == "warning":
            self.warnings.append(event.get("message", ""))
            _LOG.warning("%s of %s: %s", self.verb, self.clip, self.warnings[-1])
        elif event["event"] == "takes" and self.clip in bpy.data.movieclips:
            settings_of(bpy.data.movieclips[self.clip]).keep_takes(event["takes"], self.pictures)
        elif event["event"] == "done" and self.verb != "clean" and self.clip in bpy.data.movieclips:
            settings = settings_of(bpy.data.movieclips[self.clip])
            settings.keep_suspects()
            if "found" in event:
                found: PickSettings = getattr(settings, self.kind)
                found.keep(event["found"])


_current: Run | None = None
_last: dict[str, Run] = {}  # by the clip's name: what was begun last
_queue: list[Run] = []  # what waits, the next one first
_asked: set[int] = set()  # session_uid of clips


def latest(clip: str = "") -> Run | None:
    """The run that was begun last in this session, of all or of one clip; it may have ended."""
    return _last.get(clip) if clip else _current


def running() -> Run | None:
    """The run that goes on just now."""
    return _current if _current is not None and _current.active else None


def waiting() -> list[Run]:
    """What waits, the next one first."""
    _queue[:] = [run for run in _queue if run.waits]
    return list(_queue)


def pending() -> list[Run]:
    """What runs, then what waits."""
    run = running()
    return [run, *waiting()] if run is not None else waiting()


def pending_of(verb: Verb, clip: bpy.types.MovieClip) -> Run | None:
    """What runs or waits of one kind for one clip, the first of it."""
    return next((run for run in pending() if run.verb == verb and run.clip == clip.name), None)


def move(run: Run, places: int) -> None:
    """Let what waits come later by so many places, or sooner, below zero."""
    at = waiting().index(run)
    _queue.insert(max(0, at + places), _queue.pop(at))


def go_on() -> None:
    """Begin what waits next, if nothing runs. An error is what that run ends with, for whoever watches it."""
    if running() is None and (waits := waiting()):
        with contextlib.suppress(MatteError):
            _begin(waits[0])


def _begin(run: Run) -> None:
    global _current
    if run in _queue:
        _queue.remove(run)
    _current = _last[run.clip] = run
    run.begin()


def was_asked(clip: bpy.types.MovieClip) -> bool:
    """Whether anything was asked of the engine for this clip, since its file was opened."""
    return clip.session_uid in _asked


def nothing_runs(operator: type[bpy.types.Operator]) -> bool:
    """For `poll` of what has no place in the queue; says what to do where something runs."""
    if running() is not None:
        operator.poll_message_set(translated("Something is running already: wait for it, or stop it"))
        return False
    return True


@logged
def start(verb: Verb, clip: bpy.types.MovieClip, where: Towards = "ALL", here: int = 0, again: bool = False) -> Run:
    """Make the clip's Job and send it; if another runs, it waits its turn.

    Args:
        where: how far to track, as seen from clip frame `here`.
        again: forget the mattes of these frames first.

    Raises:
        MatteError: what is wrong with footage, prompts, settings or the runtime.
    """
    job, notes = _job(clip, export=verb == "export")
    job = towards(job, where, here)
    request = Export(job) if verb == "export" else Retrack(job) if again else Track(job)
    return _send(request, verb, clip, notes)


@logged
def start_find(
    verb: Verb, clip: bpy.types.MovieClip, kind: str, search: Mapping[str, Search], picked_from: str = ""
) -> Run:
    """As `start`, for what nobody marks.

    Args:
        kind: what there will be to pick from, as Run has it.
        search: the Job's field for it.
        picked_from: the folder of what its subjects were picked from.

    Raises:
        MatteError: as of `start`.
    """
    job, notes = make_automatic_job(clip, device(), verb == "export", **search)
    return _send(Export(job, picked_from) if verb == "export" else Track(job), verb, clip, notes, kind)


def _send(request: Request, verb: Verb, clip: bpy.types.MovieClip, notes: list[str], kind: str = "") -> Run:
    job = request.job
    pictures, shift = pictures_of(job.footage), clip.frame_start - 1
    run = Run(verb, request, clip.name, job.matte_folder, notes, kind, pictures, shift)
    if pending():
        _queue.append(run)
    else:
        _begin(run)
    return run


@logged
def start_check(clip: bpy.types.MovieClip) -> Run:
    """Send the clip's Job with its cameras, to check what is tracked in 3-D.

    Raises:
        MatteError: as of `start`; or the clip has no cameras.
    """
    job, notes = _job(clip, export=False)
    return _send(Review(job, str(_poses_of(clip, job))), "review", clip, notes)


@logged
def start_clean(clip: bpy.types.MovieClip, write: bool) -> Run:
    """Send the clip's splat with its cameras, to count what lies outside the mattes of the latest version.

    Args:
        write: what stays, into a new file.

    Raises:
        MatteError: as of `start`; no splat is named, or the clip has no cameras.
    """
    settings = settings_of(clip)
    if not settings.splat:
        raise JobError("No splat is chosen.", hint="Choose the PLY that the trainer has written.")
    job = _job_to_find(clip, "things")  # nothing has to be marked
    splat = bpy.path.abspath(settings.splat, library=clip.library)
    poses = str(_poses_of(clip, job))
    request = Clean(job, splat, poses, settings.clean_views, settings.clean_floaters, write)
    return _send(request, "clean", clip, [])


def _poses_of(clip: bpy.types.MovieClip, job: Job) -> Path:
    """The file of the clip's cameras: the one that is named, or its solved camera, written. Raises MatteError."""
    if named := settings_of(clip).poses:
        return Path(bpy.path.abspath(named, library=clip.library))
    poses = cameras_file(job.matte_folder)
    write_poses(clip, poses)
    return poses


def request_preview(clip: bpy.types.MovieClip, frame: int) -> Reply:
    """Ask for the mattes of one clip frame; a Job that runs goes on.

    Raises:
        MatteError: what is wrong with footage, prompts, settings or the runtime.
    """
    job, _ = _job(clip, export=False)
    return _ask(clip, Preview(job, frame))


def request_finished(clip: bpy.types.MovieClip, frame: int, takes: Mapping[str, str]) -> Reply:
    """Ask for the finished mattes of one clip frame, as the chosen target has them; a Job that runs goes on.

    Args:
        takes: by object, the folder of its mattes; empty = its last preview.

    Raises:
        MatteError: what is wrong with footage, prompts, settings or the runtime.
    """
    job, _ = _job(clip, export=False)
    job = dataclasses.replace(job, target=settings_of(clip).target)
    return _ask(clip, Finish(job, frame, dict(takes)))


def _job(clip: bpy.types.MovieClip, *, export: bool) -> tuple[Job, list[str]]:
    chosen = preferences()
    _asked.add(clip.session_uid)
    job, notes = make_job(clip, device(), export)
    return dataclasses.replace(job, cache_megabytes=round(1000 * chosen.cache_gigabytes)), notes


def request_outlines(clip: bpy.types.MovieClip, frames: Sequence[int], points: int) -> Reply:
    """Ask for the outlines of tracked mattes.

    Raises:
        MatteError: what is wrong with footage, prompts, settings or the runtime.
    """
    job, _ = make_job(clip, device(), export=False)
    return _ask(clip, Outlines(job, tuple(frames), points))


def request_suggestions(clip: bpy.types.MovieClip, frame: int) -> Reply:
    """Ask for the automatic masks of one clip frame.

    Raises:
        MatteError: what is wrong with footage, settings or the runtime.
    """
    return _ask(clip, Suggest(_job_to_find(clip, "things"), frame))


def request_found(clip: bpy.types.MovieClip, frame: int, kind: str) -> Reply:
    """Ask for what was found on one clip frame, of a kind of picking.KINDS; a newer request makes it pointless.

    Raises:
        MatteError: what is wrong with footage, settings or the runtime.
    """
    return _ask(clip, Found(_job_to_find(clip, kind), frame))


def _job_to_find(clip: bpy.types.MovieClip, kind: str) -> Job:
    job, _ = make_automatic_job(clip, device(), export=False, **search_of(kind, ()))
    return job


def _ask(clip: bpy.types.MovieClip, request: Request) -> Reply:
    return _engine().request(request, clip.frame_start - 1)


def _engine() -> Engine:
    chosen = preferences()
    folder = bpy.path.abspath(chosen.folder)
    python = find_python(bpy.path.abspath(chosen.engine_python), folder)
    environment = engine_environment(
        EXTENSION,
        folder,
        chosen.threads,
        gpu=chosen.gpu,
        gpu_gigabytes=chosen.gpu_gigabytes,
        idle_minutes=chosen.idle_minutes,
    )
    return shared_engine(python, environment)


def warm_up() -> None:
    """Start the engine before it is asked for anything: importing PyTorch takes seconds."""
    with contextlib.suppress(MatteError):  # whoever asks for something is told
        _engine()


def abandon(run: Run) -> None:
    """Stop a run that nobody watches any more: another can begin at once, and the engine drops what is left of it."""
    run.stop()
    run.error = Cancelled()


def forget() -> None:
    """Stop what is running, and forget it and all that waits."""
    global _current
    for run in pending():
        run.stop()
    _queue.clear()
    _last.clear()
    _current = None
