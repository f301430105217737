"""Queue: the running Job, of any clip, and the waiting ones."""

from __future__ import annotations

import bpy

from ...language import CONTEXT, translated
from ...tasks import job_run
from .base import Panel
from .job import draw_run

_VERBS: dict[job_run.Verb, str] = {
    "track": "Track",
    "export": "Export",
    "review": "Check in 3-D",
    "repair": "Repair Suspects",
    "clean": "Clean Splat",
    "select": "Select Frames",
    "static": "Find What Stands Still",
    "farm": "Send to Farm",
}


class SPLATMATTE_PT_queue(Panel, bpy.types.Panel):
    """The running and the waiting Jobs."""

    bl_label = "Queue"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require a running Job."""
        return bool(job_run.pending())

    def draw(self, context: bpy.types.Context) -> None:
        """Draw one row per Job, in their order."""
        for run in job_run.pending():
            column = self.layout.column(align=True)
            row = column.row(align=True)
            verb = bpy.app.translations.pgettext_iface(_VERBS[run.verb], CONTEXT)
            row.label(text=translated("{1}: {2}", run.clip, verb), translate=False, icon="SEQUENCE")
            if run.waits:
                for change, icon in (("UP", "TRIA_UP"), ("DOWN", "TRIA_DOWN")):
                    move = row.operator("splat_matte.change_queue", text="", icon=icon)  # type: ignore[arg-type]
                    move.number, move.change = run.number, change
            draw_run(column.row(align=True), run)
