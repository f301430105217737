"""The running Job and the queue of waiting ones: starting, watching and stopping them.

Operators, panels and the command line use this. One Job runs at a time. A Job that is started meanwhile waits its turn;
it is made when it is started, so later changes don't affect it.
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
from ..clip.poses import is_solved, write_poses
from ..clip.to_job import make_automatic_job, make_footage_job, make_job
from ..clip.transport import Towards, towards
from ..clip.undo import undo_step
from ..contract.automatic import Search
from ..contract.disk import free_name
from ..contract.errors import Cancelled, JobError, MatteError
from ..contract.job import Job
from ..contract.layout import cameras_file, farm_folder
from ..contract.protocol import Event
from ..contract.requests import (
    Clean,
    Export,
    Farm,
    FindStatic,
    Finish,
    Found,
    Outlines,
    Preview,
    Repair,
    Request,
    Retrack,
    Review,
    Select,
    Suggest,
    Track,
)
from ..language import translated
from ..results.selection import read_dropped
from ..runtime.engine_client import Engine, Reply, is_starting, shared_engine
from ..runtime.json_line_process import EXTENSION
from ..runtime.locate import engine_environment, find_python
from ..runtime.log_file import logged
from ..settings.clip_settings import settings_of
from ..settings.pick_settings import PickSettings, search_of
from ..settings.preferences import device, preferences

_LOG = logging.getLogger(__name__)

Verb = Literal["track", "export", "review", "repair", "clean", "select", "static", "farm"]

ABOUT_MATTES: tuple[Verb, ...] = ("track", "export", "review", "repair")
_STAGES = {
    "model": "Loading the model",
    "track": "Tracking",
    "repair": "Carrying mattes",
    "export": "Exporting",
    "clean": "Looking from all cameras",
    "select": "Looking at frames",
    "static": "Looking at frames",
}


@dataclass(slots=True)
class Run:
    """One run of a Job, which may still be waiting.

    request: the request to the engine.
    clip: name of the clip.
    shift: what is added to clip frames to get scene frames, which the artist sees.
    pictures: identifies the footage's files, see clip.footage.pictures_of.
    kind: for a search with results to pick from, its kind: an identifier in pick_settings.KINDS.
    folder: the folder of its versions and its matte store.
    notes: remarks about footage and prompts, which the panel shows as well.
    warnings: the engine's warnings.
    progress: the latest progress event.
    error: the error that it ended with; None while it runs and after success.
    engine, reply: None while it waits.
    number: a number that no other run of this session has.
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
        """The `done` event; None until it comes."""
        return self.reply.result if self.reply is not None else None

    @property
    def waits(self) -> bool:
        """Whether the Job is waiting in the queue."""
        return self.reply is None and self.error is None

    @property
    def active(self) -> bool:
        """Whether the Job is running or waiting."""
        return self.result is None and self.error is None

    def begin(self) -> None:
        """Send the Job to the engine. Raises MatteError if the engine can't be started."""
        _LOG.info("%s of %s", self.verb, self.clip)
        try:
            self.engine = _engine()
        except MatteError as error:
            self.error = error
            raise
        self.reply = self.engine.request(self.request, self.shift)

    @property
    def fraction(self) -> float:
        """The finished share of the current stage, 0..1."""
        return self.progress["done"] / max(1, self.progress["total"]) if self.progress else 0.0

    @logged
    def step(self) -> None:
        """Process the events since the last call, without waiting. Raises the MatteError that the Job ended with."""
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
        """Wait for the end; `show` gets lines for the console. Raises the MatteError that the Job ended with."""
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
        """Ask the engine to stop. A running Job ends when the engine answers, a waiting one at once."""
        self.stopping = True
        if self.reply is None:
            self.error = self.error or Cancelled()
        else:
            self.reply.cancel()

    def in_words(self, with_frame: bool = True) -> str:
        """For example: Tracking 12/200, frame 57, 1:30 left. A sidebar's progress bar has no room for the frame."""
        if self.stopping:
            return translated("Stopping")
        if self.waits:
            return translated("Waiting")
        event = self.progress
        if event is None:
            return translated("Starting the engine" if is_starting() else "Checking")
        words = translated(_STAGES[event["stage"]])
        if event["stage"] != "model":
            done, total, frame = event["done"], event["total"], event["frame"] + self.shift
            words = translated(f"{words} {done}/{total}, frame {frame}") if with_frame else f"{words} {done}/{total}"
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
        elif event["event"] == "done" and self.verb == "select" and self.clip in bpy.data.movieclips:
            self._keep_selection(event)
        elif event["event"] == "done" and self.verb == "static" and self.clip in bpy.data.movieclips:
            settings_of(bpy.data.movieclips[self.clip]).static_file = event["file"]
            undo_step(translated("Find What Stands Still"))
        elif event["event"] == "done" and self.verb in ABOUT_MATTES and self.clip in bpy.data.movieclips:
            settings = settings_of(bpy.data.movieclips[self.clip])
            settings.keep_suspects()
            settings.repairs = event["file"] if self.verb == "repair" else ""
            if "found" in event:
                found: PickSettings = getattr(settings, self.kind)
                found.keep(event["found"])

    def _keep_selection(self, event: Event) -> None:
        """Drop the frames that the engine drops; frames that it did not measure stay as they are."""
        settings = settings_of(bpy.data.movieclips[self.clip])
        others = settings.dropped_frames().difference(self.request.job.frames)
        settings.drop(others | read_dropped(Path(event["file"])))
        undo_step(translated("Select Frames"))


_current: Run | None = None
_last: dict[str, Run] = {}  # by the clip's name: what was begun last
_queue: list[Run] = []  # waiting runs, the next one first
_asked: set[int] = set()  # session_uid of clips


def latest(clip: str = "") -> Run | None:
    """The run that began last in this session, of any clip or of the clip called `clip`. It may have ended."""
    return _last.get(clip) if clip else _current


def running() -> Run | None:
    """The current run; None if no Job is running."""
    return _current if _current is not None and _current.active else None


def waiting() -> list[Run]:
    """The waiting runs, the next one first."""
    _queue[:] = [run for run in _queue if run.waits]
    return list(_queue)


def pending() -> list[Run]:
    """The current run, followed by the waiting ones."""
    run = running()
    return [run, *waiting()] if run is not None else waiting()


def pending_of(verb: Verb, clip: bpy.types.MovieClip) -> Run | None:
    """The first running or waiting run of one verb for one clip; None if there is none."""
    return next((run for run in pending() if run.verb == verb and run.clip == clip.name), None)


def move(run: Run, places: int) -> None:
    """Move a waiting run back in the queue by a number of places, or forward if it is negative."""
    at = waiting().index(run)
    _queue.insert(max(0, at + places), _queue.pop(at))


def go_on() -> None:
    """Begin the next waiting run, if none is running. The run keeps its error for whoever watches it."""
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
    """Whether the engine has had a request for this clip since the file was opened."""
    return clip.session_uid in _asked


def nothing_runs(operator: type[bpy.types.Operator]) -> bool:
    """Whether no Job is running, for `poll` of an operator that can't be queued. Otherwise sets the poll message."""
    if running() is not None:
        operator.poll_message_set(translated("Something is running already: wait for it, or stop it"))
        return False
    return True


@logged
def start(verb: Verb, clip: bpy.types.MovieClip, where: Towards = "ALL", here: int = 0, again: bool = False) -> Run:
    """Make the clip's Job and send it. While another Job is running, it waits in the queue.

    Args:
        verb: what to do.
        clip: the clip.
        where: the direction and range of tracking, relative to the clip frame `here`.
        here: a clip frame.
        again: delete the mattes of these frames first.

    Raises:
        MatteError: footage, prompts, settings or the runtime can't be used.
    """
    job, notes = _job(clip, export=verb == "export")
    job = towards(job, where, here)
    request = Export(job) if verb == "export" else Retrack(job) if again else Track(job)
    return _send(request, verb, clip, notes)


@logged
def start_find(
    verb: Verb, clip: bpy.types.MovieClip, kind: str, search: Mapping[str, Search], picked_from: str = ""
) -> Run:
    """Make a Job with a search and send it.

    Args:
        verb: what to do.
        clip: the clip.
        kind: the kind of the search, see `Run`.
        search: the Job's field for the search.
        picked_from: the folder of the results that the search's subjects were picked from.

    Raises:
        MatteError: see `start`.
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
        MatteError: see `start`; or the clip has no solved cameras.
    """
    job, notes = _job(clip, export=False)
    return _send(Review(job, str(_poses_of(clip, job))), "review", clip, notes)


@logged
def start_repair(clip: bpy.types.MovieClip) -> Run:
    """Send the clip's Job with its cameras, if it has any, to be offered new mattes for its suspects.

    Raises:
        MatteError: see `start`.
    """
    job, notes = _job(clip, export=False)
    has_cameras = settings_of(clip).poses or is_solved(clip)
    return _send(Repair(job, str(_poses_of(clip, job)) if has_cameras else ""), "repair", clip, notes)


@logged
def start_select(clip: bpy.types.MovieClip) -> Run:
    """Send the clip's footage, to find the frames that are worth training on.

    Sharpness is measured on the subject where it is tracked.

    Raises:
        MatteError: see `start`.
    """
    settings = settings_of(clip)
    job = make_footage_job(clip, device())
    takes = {entry.name: entry.take for entry in settings.objects if entry.use and entry.export and entry.take}
    return _send(Select(job, settings.select_count, takes), "select", clip, [])


@logged
def start_find_static(clip: bpy.types.MovieClip) -> Run:
    """Send the clip's footage, to find what is fixed to its camera. Raises MatteError: see `start`."""
    return _send(FindStatic(make_footage_job(clip, device())), "static", clip, [])


@logged
def start_clean(clip: bpy.types.MovieClip, write: bool) -> Run:
    """Send the clip's splat with its cameras, to count the splats outside the mattes of the latest version.

    Args:
        clip: the clip.
        write: also write the remaining splats to a new file.

    Raises:
        MatteError: see `start`; or no splat is chosen, or the clip has no cameras.
    """
    settings = settings_of(clip)
    if not settings.splat:
        raise JobError("No splat is chosen.", hint="Choose the PLY that the trainer has written.")
    job = make_footage_job(clip, device())
    splat = bpy.path.abspath(settings.splat, library=clip.library)
    poses = str(_poses_of(clip, job))
    request = Clean(job, splat, poses, settings.clean_views, settings.clean_floaters, write)
    return _send(request, "clean", clip, [])


@logged
def start_farm(clip: bpy.types.MovieClip) -> Run:
    """Write the clip's Job into a new folder for a farm, as the preferences name it, and send it. Raises MatteError."""
    chosen = preferences()
    job, notes = _job(clip, export=True)
    job = dataclasses.replace(job, model=dataclasses.replace(job.model, device=chosen.farm_device))
    within = Path(bpy.path.abspath(chosen.farm_folder)) if chosen.farm_folder else farm_folder(job.matte_folder)
    folder = free_name(within / f"{bpy.path.clean_name(Path(clip.name).stem)}_{chosen.farm}")
    runtime, code = (bpy.path.abspath(named) for named in (chosen.farm_runtime, chosen.farm_code))
    manager = chosen.farm_manager if chosen.farm == "flamenco" else ""
    return _send(Farm(job, chosen.farm, str(folder), runtime, code, manager), "farm", clip, notes)


def _poses_of(clip: bpy.types.MovieClip, job: Job) -> Path:
    """The file of the clip's cameras: the chosen one, or a new one with its solved camera. Raises MatteError."""
    if named := settings_of(clip).poses:
        return Path(bpy.path.abspath(named, library=clip.library))
    poses = cameras_file(job.matte_folder)
    write_poses(clip, poses)
    return poses


def request_preview(clip: bpy.types.MovieClip, frame: int) -> Reply:
    """Ask for the mattes of one clip frame. A running Job continues.

    Raises:
        MatteError: footage, prompts, settings or the runtime can't be used.
    """
    job, _ = _job(clip, export=False)
    return _ask(clip, Preview(job, frame))


def request_finished(clip: bpy.types.MovieClip, frame: int, takes: Mapping[str, str]) -> Reply:
    """Ask for the finished mattes of one clip frame, as the chosen target exports them, and for its static area.

    A running Job continues.

    Args:
        clip: the clip.
        frame: the clip frame.
        takes: the folder of each object's take, by the object's name; empty: the last preview is used. Without any
            nothing has to be marked, if there is a static area.

    Raises:
        MatteError: footage, prompts, settings or the runtime can't be used.
    """
    settings = settings_of(clip)
    if not takes and (settings.static_mask or settings.static_file):
        return _ask(clip, Finish(make_footage_job(clip, device()), frame, {}))
    job, _ = _job(clip, export=False)
    job = dataclasses.replace(job, target=settings.target)
    return _ask(clip, Finish(job, frame, dict(takes)))


def _job(clip: bpy.types.MovieClip, *, export: bool) -> tuple[Job, list[str]]:
    chosen = preferences()
    _asked.add(clip.session_uid)
    job, notes = make_job(clip, device(), export)
    return dataclasses.replace(job, cache_megabytes=round(1000 * chosen.cache_gigabytes)), notes


def request_outlines(clip: bpy.types.MovieClip, frames: Sequence[int], points: int) -> Reply:
    """Ask for the outlines of tracked mattes.

    Raises:
        MatteError: footage, prompts, settings or the runtime can't be used.
    """
    job, _ = make_job(clip, device(), export=False)
    return _ask(clip, Outlines(job, tuple(frames), points))


def request_suggestions(clip: bpy.types.MovieClip, frame: int) -> Reply:
    """Ask for the automatic masks of one clip frame.

    Raises:
        MatteError: footage, settings or the runtime can't be used.
    """
    return _ask(clip, Suggest(_job_to_find(clip, "things"), frame))


def request_found(clip: bpy.types.MovieClip, frame: int, kind: str) -> Reply:
    """Ask for the things or parts on one clip frame. `kind` is an identifier in pick_settings.KINDS.

    Raises:
        MatteError: footage, settings or the runtime can't be used.
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
    """Start the engine before the first request, as importing PyTorch takes seconds."""
    with contextlib.suppress(MatteError):  # the first request reports it
        _engine()


def abandon(run: Run) -> None:
    """Stop a run without waiting for its end. Another run can start at once; the engine drops the rest of this one."""
    run.stop()
    run.error = Cancelled()


def forget() -> None:
    """Stop the current run, and forget it and all waiting ones."""
    global _current
    for run in pending():
        run.stop()
    _queue.clear()
    _last.clear()
    _current = None
