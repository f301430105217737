"""The running task of the installer: operators start it, a timer watches it, and the preferences show it."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import bpy

from ..checkpoints import Official
from ..clip.editors import redraw_sidebars
from ..contract.errors import EngineError, MatteError
from ..installer.machine import this_machine
from ..installer.plan import InstallPlan
from ..installer.pythons import probe
from ..installer.recommended import recommended
from ..installer.torch_build import Machine
from ..runtime import measured
from ..runtime.engine_client import stop_shared_engine
from ..runtime.installer_client import Installer, installer_python
from ..runtime.locate import PYTHON_VARIABLE, current_runtime, runtime_python
from ..runtime.log_file import logged
from ..settings.preferences import data_folder, preferences
from . import job_run

_LOG = logging.getLogger(__name__)

Verb = Literal["install", "self-test", "checkpoint", "move", "remove"]

_TICK = 0.2  # seconds
_CLOSES_THE_ENGINE = ("install", "move", "remove")


@dataclass(slots=True)
class Task:
    """One task of the installer.

    notes: messages that are shown once.
    result: the last event, after success.
    error: the error that it ended with.
    asked: if the task ended because the planned build of PyTorch is not available, the build that is.
    with_checkpoint: whether the download of the recommended checkpoint is queued behind it.
    model: for a queued download, the checkpoint that then is the preferences' model, where none was chosen.
    """

    verb: Verb
    installer: Installer
    words: str = "Starting"
    fraction: float = 0.0
    notes: list[str] = field(default_factory=list)
    stopping: bool = False
    result: dict[str, Any] | None = None
    error: MatteError | None = None
    asked: str = ""
    with_checkpoint: bool = False
    model: str = ""

    @property
    def active(self) -> bool:
        """Whether the task is still running."""
        return self.result is None and self.error is None

    def step(self, wait: float = 0.0) -> None:
        """Process the events since the last call. Waits for the first one for at most `wait` seconds."""
        try:
            for event in self.installer.poll(wait):
                if event["event"] == "progress":
                    self.words, self.fraction = event["words"], event["fraction"]
                elif event["event"] == "note":
                    self.notes.append(event["words"])
                elif event["event"] == "ask":
                    self.asked = event["build"]
                    raise EngineError(event["message"], hint=event["hint"])
                else:
                    self.result = event
                    _take_over(event, self.model)
        except MatteError as error:
            _LOG.error("%s: %s", self.verb, error)
            self.error = error

    def wait(self, show: Callable[[str], None]) -> None:
        """Wait for the end; `show` gets lines for the console. Raises the MatteError that the task ended with."""
        said = ""
        while self.active:
            self.step(wait=0.5)
            if self.words.partition(":")[0] != said:
                said = self.words.partition(":")[0]
                show(self.words)
        if self.error is not None:
            raise self.error

    def stop(self) -> None:
        """Ask the installer to stop."""
        self.stopping = True
        self.installer.cancel()
        _redraw()  # says so


_current: Task | None = None
_machine: Machine | None = None
_asking: threading.Thread | None = None
_runs: dict[Path, bool | None] = {}  # by a runtime's Python: whether it starts; None: it is being asked


def latest() -> Task | None:
    """The last task of this session, which may have ended; None if there was none."""
    return _current


def active() -> Task | None:
    """The current task; None if no task is running."""
    return _current if _current is not None and _current.active else None


def start(verb: Verb, *arguments: str, with_checkpoint: bool = False, model: str = "") -> Task:
    """Start a task. For with_checkpoint and model see Task.

    Raises:
        EngineError: another task is running.
    """
    global _current
    if active() is not None or job_run.pending():
        raise EngineError("Something is running already.", hint="Wait for it, or stop it.")
    if verb in _CLOSES_THE_ENGINE:
        stop_shared_engine()
    command = [verb, *arguments, "--folder", str(data_folder())]
    installer = Installer(installer_python(), command, preferences().gpu)
    _current = Task(verb, installer, with_checkpoint=with_checkpoint, model=model)
    if not (bpy.app.background or bpy.app.timers.is_registered(_tick)):
        bpy.app.timers.register(_tick, first_interval=_TICK, persistent=True)
    return _current


def go_on() -> Task | None:
    """Start what is queued behind the last task, if that ended well; None if there is nothing.

    Raises:
        EngineError: it can't be started.
    """
    ended = _current
    if ended is None or ended.result is None or not ended.with_checkpoint:
        return None
    ended.with_checkpoint = False
    official = recommended_checkpoint()
    if has_checkpoint(official):
        return None
    return start("checkpoint", official.name, model=official.name)


def can_set_up() -> bool:
    """Whether this computer has no engine yet, neither an installed one nor one of the user's own."""
    own = preferences().engine_python or os.environ.get(PYTHON_VARIABLE)
    return not own and current_runtime(plan().runtimes) is None


def has_checkpoint(official: Official) -> bool:
    """Whether a published checkpoint is on this computer."""
    return (data_folder() / "checkpoints" / official.file).exists()


def recommended_checkpoint() -> Official:
    """The published checkpoint to begin with, as far as this computer is known."""
    build = None
    if (known := machine()) is not None:
        with contextlib.suppress(EngineError):
            build = plan().builds(known).builds[0]
    return recommended(build, measured.read(data_folder()), preferences().device)


def plan() -> InstallPlan:
    """The plan of an installation with the current preferences."""
    chosen = preferences()
    wheels = Path(bpy.path.abspath(chosen.wheels)) if chosen.wheels else None
    return InstallPlan(data_folder(), chosen.build, bpy.path.abspath(chosen.base_python), wheels)


def machine(patience: float = 0.0) -> Machine | None:
    """This computer; None until its drivers have answered. They are asked in a thread, as that can take seconds.

    Args:
        patience: seconds to wait for them.
    """
    global _asking
    if _machine is None and _asking is None:
        _asking = threading.Thread(target=_ask, name="splat-matte-drivers", daemon=True)
        _asking.start()
        if not bpy.app.background:
            bpy.app.timers.register(_until_asked, first_interval=_TICK, persistent=True)
    if _asking is not None:
        _asking.join(patience)
    return _machine


def engine_runs() -> bool:
    """Whether the installed engine's Python can start. This is tried once, in a thread; True until it is known."""
    current = current_runtime(plan().runtimes)
    if current is None:
        return True
    python = runtime_python(current)
    if python not in _runs:
        _runs[python] = None
        threading.Thread(target=_try_to_start, args=(python,), name="splat-matte-python", daemon=True).start()
    return _runs[python] is not False


def _try_to_start(python: Path) -> None:
    _runs[python] = probe([str(python)], "sys") is not None


def _ask() -> None:
    global _machine
    _machine = this_machine()


def _until_asked() -> float | None:
    if _machine is None:
        return _TICK
    _redraw()
    return None


@logged
def _tick() -> float | None:
    if _current is None:
        return None
    _current.step()
    if not _current.active:
        try:
            go_on()
        except MatteError as error:
            _LOG.error("the queued download: %s", error)
    _redraw()
    return _TICK if _current.active else None


def _take_over(result: dict[str, Any], model: str = "") -> None:
    """Update the preferences, and the facts about this computer, after a task."""
    chosen: Any = preferences()
    if model and not chosen.is_property_set("checkpoint"):
        chosen.checkpoint = model
    if result.get("gpu_problem"):
        measured.note_problem(data_folder(), result["gpu_problem"])
    if folder := result.get("folder"):
        preferences().folder = folder


def _redraw() -> None:
    redraw_sidebars()
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()


def forget(*, wait: bool = True) -> None:
    """Stop the current task and forget it. With `wait`, return when its process has ended."""
    global _current
    for timer in (_tick, _until_asked):
        if bpy.app.timers.is_registered(timer):
            bpy.app.timers.unregister(timer)
    if (task := active()) is not None:
        task.installer.stop(wait=wait)
    _current = None
