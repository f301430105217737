"""Base of the operators in the preferences: in a window they start a task, without one they wait for it."""

from __future__ import annotations

import bpy

from ..checkpoints import Official
from ..contract.errors import EngineError, MatteError
from ..language import translated
from ..settings.preferences import data_folder
from ..tasks import setup_run
from .base import OperatorMixin, Result, fail


class SetupOperator(OperatorMixin):
    """Mix-in of operators that run a set-up task; each names its verb."""

    verb: setup_run.Verb
    with_checkpoint = False

    bl_options = {"REGISTER", "INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require that no task is running."""
        if setup_run.active() is not None:
            cls.poll_message_set(translated("Wait for what is running, or stop it"))
            return False
        return True

    def arguments(self) -> list[str]:
        """Return the arguments after the verb. Raises MatteError."""
        return []

    def execute(self, context: bpy.types.Context) -> Result:
        """Start the task; Blender stays usable, and the preferences show its progress."""
        try:
            task: setup_run.Task | None = setup_run.start(
                self.verb, *self.arguments(), with_checkpoint=self.with_checkpoint
            )
            while task is not None and bpy.app.background:
                task.wait(lambda words: print(words, flush=True))
                if task.result is not None:
                    self.report({"INFO"}, translated(task.result["words"]))
                task = setup_run.go_on()
        except MatteError as error:
            return fail(self, error)
        return {"FINISHED"}


def ask_for_network(official: Official | None = None) -> None:
    """Raise EngineError if Blender is set to stay offline but a download is needed: wheels, or `official`."""
    if not bpy.app.online_access:
        hint = "Allow it in Preferences, System, Network, or name a folder with the files as Folder of Wheels."
        if official is not None:
            folder = data_folder() / "checkpoints"
            hint = f"Allow it in Preferences, System, Network, or put {official.file} into {folder}."
        raise EngineError("Blender's online access is off.", hint=hint)
