"""What the operators of the preferences have in common: in a window they start a task, without one they wait for it."""

from __future__ import annotations

import bpy

from ..checkpoints import Official
from ..contract.errors import EngineError, MatteError
from ..language import translated
from ..settings.preferences import data_folder
from ..tasks import setup_run
from .base import OperatorMixin, Result, fail


class SetupOperator(OperatorMixin):
    """Mixed into a bpy.types.Operator that names its verb."""

    verb: setup_run.Verb
    with_checkpoint = False

    bl_options = {"REGISTER", "INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Nothing is being set up."""
        if setup_run.active() is not None:
            cls.poll_message_set(translated("Wait for what is running, or stop it"))
            return False
        return True

    def arguments(self) -> list[str]:
        """What follows the verb. Raises MatteError."""
        return []

    def execute(self, context: bpy.types.Context) -> Result:
        """Start; Blender goes on, and the preferences show how far it is."""
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
    """Raises EngineError: Blender was told to stay offline, but wheels are needed, or the checkpoint `official`."""
    if not bpy.app.online_access:
        hint = "Allow it in Preferences, System, Network, or name a folder with the files as Folder of Wheels."
        if official is not None:
            folder = data_folder() / "checkpoints"
            hint = f"Allow it in Preferences, System, Network, or put {official.file} into {folder}."
        raise EngineError("Blender's online access is off.", hint=hint)
