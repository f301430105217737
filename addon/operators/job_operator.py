"""Base of track and export: modal in a window, blocking without one, with the same messages."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..clip.editors import clip_editors, redraw, redraw_sidebars
from ..clip.footage import active_clip, find_clip, shown_frame
from ..clip.prompts import count_of
from ..contract.errors import Cancelled, EngineError, MatteError
from ..contract.job_types import FINE
from ..language import translated
from ..language.properties import StringProperty
from ..tasks import job_run
from .base import OperatorMixin, Result, fail, hints_given, say_status, start_watching


class JobOperator(OperatorMixin):
    """Mix-in of operators that run a Job; each names its verb."""

    verb: job_run.Verb

    bl_options = {"REGISTER"}

    clip: StringProperty(
        name="Clip", description="Name of the clip. Empty: the active one", options={"HIDDEN", "SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require a clip. Another Job may be running; then this one waits."""
        if not bpy.data.movieclips:
            cls.poll_message_set(translated("Open footage first"))
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        """In a window: start the Job and watch it by a timer."""
        try:
            self._run = self._start(context)
        except MatteError as error:
            return self._fail(error)
        self._words = ""
        self._timer = start_watching(self, context)
        if self._run.waits:
            self.report({"INFO"}, translated(f"It waits its turn: {len(job_run.pending()) - 1} before it"))
        self._show(context)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        """Stop the running Job on Esc; pass every other event on."""
        asked = event.type == "ESC" and event.value == "PRESS" and not hints_given()  # an active tool takes Esc
        if asked and not (self._run.waits or self._run.stopping):
            self._run.stop()
            self._show(context)
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        job_run.go_on()
        try:
            self._run.step()
        except MatteError as error:
            self._finish(context)
            return self._fail(error)
        if self._run.active:
            self._show(context)
            return {"PASS_THROUGH"}
        self._finish(context)
        return self._succeed()

    def execute(self, context: bpy.types.Context) -> Result:
        """Without a window, or from a script: wait for the end."""
        try:
            if job_run.pending():
                raise EngineError("Something is running already.", hint="Wait for it, or stop it.")
            self._run = self._start(context)
            self._run.wait(lambda words: print(words, flush=True))
        except MatteError as error:
            return self._fail(error)
        return self._succeed()

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator: its window closes, another file is opened."""
        if self._run.active:
            job_run.abandon(self._run)
        self._finish(context)

    def _start(self, context: bpy.types.Context) -> job_run.Run:
        return job_run.start(self.verb, self._find_clip(context))

    def _find_clip(self, context: bpy.types.Context) -> bpy.types.MovieClip:
        return find_clip(self.clip) if self.clip else active_clip(context) or find_clip("")

    def _show(self, context: bpy.types.Context) -> None:
        words = self._run.in_words()
        if not self._run.waits and (others := len(job_run.waiting())):
            words = translated(f"{words}; {others} waiting")
        if words != self._words:
            self._words = words
            if not self._run.waits:
                say_status(context, f"Splat Matte: {words}    Esc: stop")
            redraw_sidebars()
            if _is_seen(self._run):
                redraw()

    def _finish(self, context: bpy.types.Context) -> None:
        context.window_manager.event_timer_remove(self._timer)
        if self._run.reply is not None:
            say_status(context, None)
        redraw()

    def _fail(self, error: MatteError) -> Result:
        if isinstance(error, Cancelled):
            words = "Taken out of the queue"
            if self._run.reply is not None:
                words = "Stopped. What was tracked is kept" if self.verb in job_run.ABOUT_MATTES else "Stopped."
            self.report({"WARNING"}, translated(words))
            return {"CANCELLED"}
        return fail(self, error)

    def _succeed(self) -> Result:
        self.report({"INFO"}, outcome(self._run))
        return {"FINISHED"}


def _is_seen(run: job_run.Run) -> bool:
    """Whether the frame that was done last is worth drawing the clip for: where that is quick, for the lane's sake; of
    a large plate, which Blender uploads whole each time, only if an editor shows that frame. Before the first frame
    there is nothing to see: the button's answer, in the sidebar, does not wait for the clip to be drawn."""
    if run.progress is None:
        return False
    frame = run.progress["frame"]
    for _, space in clip_editors():
        clip = space.clip
        if clip is not None and clip.name == run.clip:
            width, height = clip.size[0], clip.size[1]  # type: ignore[index]
            if max(width, height) <= FINE or shown_frame(clip, space, bpy.context.scene) == frame:
                return True
    return False


def outcome(run: job_run.Run) -> str:
    """Describe the result of a run that ended well."""
    result = run.result
    if result is None:
        return ""
    if run.verb == "select":
        numbers = result.get("kept", 0), result.get("dropped", 0), result.get("blurred", 0)
        return translated("{1} frames kept, {2} dropped, {3} of them blurred", *numbers)
    if run.verb == "static":
        return translated("Found what stands still. Saved: {1}", Path(result.get("file", "")).name)
    if run.verb == "clean":
        counts = f"{result.get('removed', 0):,}", f"{result.get('gaussians', 0):,}", f"{result.get('floaters', 0):,}"
        if file := result.get("file"):
            return translated("{1} of {2} Gaussians are removed. Saved: {3}", *counts[:2], Path(file).name)
        return translated("{1} of {2} Gaussians would go. Floaters: {3}", *counts)
    if run.verb == "farm":
        name = Path(result.get("folder", "")).name
        if result.get("command"):
            return translated("Saved: {1}. The command that sends it is in the clipboard", name)
        return translated("Sent to Flamenco: {1}", name)
    if run.verb == "repair":
        offered = result.get("repairs", 0)
        return translated(f"{count_of(offered, 'repair')} offered") if offered else translated("No repair is found")
    suspects = result.get("suspects", 0)
    if run.verb == "review":
        return count_of(suspects, "suspect") if suspects else translated("No suspects")
    done = count_of(result.get("frames", 0), "frame with a matte", "frames with mattes")
    words = f"{done} ({result.get('device', '')})"
    if suspects:
        words = translated(f"{words}. {count_of(suspects, 'suspect')} to look at in Review")
    return translated(f"{words}. Saved: {Path(folder).name}") if (folder := result.get("folder")) else words
