"""Trust: confirm an unpublished checkpoint and its config."""

from __future__ import annotations

import bpy

from ..clip.footage import active_clip
from ..clip.to_job import own_files
from ..contract.errors import MatteError
from ..language import translated
from ..settings.trusted_files import trust
from .base import Result, fail


class SPLATMATTE_OT_trust_file(bpy.types.Operator):
    """Use this checkpoint and its config, for all clips: you know where they are from. Changed files are asked for again"""  # noqa: E501 (a tooltip)

    bl_idname = "splat_matte.trust_file"
    bl_label = "Trust This File"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require a chosen file."""
        clip = active_clip(context)
        if clip is None or not own_files(clip):
            cls.poll_message_set(translated("Choose a checkpoint file first"))
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        """Ask for confirmation."""
        result: Result = context.window_manager.invoke_confirm(self, event)
        return result

    def execute(self, context: bpy.types.Context) -> Result:
        """Store the hashes of the files' contents."""
        try:
            for file in own_files(active_clip(context)):
                trust(file)
        except MatteError as error:
            return fail(self, error)
        return {"FINISHED"}
