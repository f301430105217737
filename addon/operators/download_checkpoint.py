"""Download a published checkpoint."""

from __future__ import annotations

import bpy

from ..checkpoints import OFFICIAL
from ..language.properties import EnumProperty
from .setup_operator import SetupOperator, ask_for_network


class SPLATMATTE_OT_download_checkpoint(SetupOperator, bpy.types.Operator):
    """Download this checkpoint from Meta. What has come in is kept when it is stopped"""

    bl_idname = "splat_matte.download_checkpoint"
    bl_label = "Download"
    verb = "checkpoint"

    name: EnumProperty(
        name="Checkpoint",
        description="Which one",
        items=[(checkpoint.name, checkpoint.label, "As published by Meta") for checkpoint in OFFICIAL.values()],
    )

    def arguments(self) -> list[str]:
        """Return the checkpoint's name."""
        ask_for_network(OFFICIAL[self.name])
        return [self.name]
