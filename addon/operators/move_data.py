"""Move engine and checkpoints to another folder, for instance on a larger disk."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..contract.errors import OutputError
from ..language.properties import StringProperty
from .base import Result
from .setup_operator import SetupOperator


class SPLATMATTE_OT_move_data(SetupOperator, bpy.types.Operator):
    """Move engine and checkpoints to another folder, which becomes the Data Folder"""

    bl_idname = "splat_matte.move_data"
    bl_label = "Move Here"
    verb = "move"

    directory: StringProperty(
        name="Folder", description="Folder that they are written to", subtype="DIR_PATH", options={"SKIP_SAVE"}
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        """Ask for the folder."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def arguments(self) -> list[str]:
        """Return the folder."""
        if not self.directory:
            raise OutputError("No folder is chosen.", hint="Choose the folder to move to.")
        return [str(Path(bpy.path.abspath(self.directory)))]
