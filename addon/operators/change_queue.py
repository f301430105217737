"""Change queue: move a waiting Job up or down, or remove it."""

from __future__ import annotations

import bpy

from ..clip.editors import redraw_sidebars
from ..language.properties import EnumProperty, IntProperty
from ..tasks import job_run
from .base import Result

_CHANGES = [
    ("UP", "Sooner", "Let this one come before the one above it"),
    ("DOWN", "Later", "Let the one below it come first"),
    ("REMOVE", "Remove", "Take this one out of the queue"),
]


class SPLATMATTE_OT_change_queue(bpy.types.Operator):
    """Change the order of what waits its turn"""

    bl_idname = "splat_matte.change_queue"
    bl_label = "Change Queue"
    bl_options = {"INTERNAL"}

    number: IntProperty(name="Number", description="Which run it is", options={"HIDDEN", "SKIP_SAVE"})
    change: EnumProperty(name="Change", description="Action on the run", items=_CHANGES, options={"SKIP_SAVE"})

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        """Return the tooltip of each button."""
        tooltip = next(tooltip for name, _, tooltip in _CHANGES if name == properties.change)
        return bpy.app.translations.pgettext_tip(tooltip)

    def execute(self, context: bpy.types.Context) -> Result:
        """Change the queue; nothing happens if the Job has started meanwhile."""
        run = next((run for run in job_run.waiting() if run.number == self.number), None)
        if run is None:
            return {"CANCELLED"}
        if self.change == "REMOVE":
            run.stop()
        else:
            job_run.move(run, -1 if self.change == "UP" else 1)
        redraw_sidebars()
        return {"FINISHED"}
