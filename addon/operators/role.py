"""Base of mark_include and mark_exclude, which colour the selected tracks."""

from __future__ import annotations

import bpy

from ..clip.footage import active_clip
from ..language import translated
from .base import OperatorMixin, Result


class RoleOperator(OperatorMixin):
    """Mix-in of operators that name a colour."""

    colour: tuple[float, float, float]

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require selected tracks."""
        clip = active_clip(context)
        if clip is None or not selected_tracks(clip):
            cls.poll_message_set(translated("Select tracks first"))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> Result:
        """Colour the tracks."""
        clip = active_clip(context)
        for track in selected_tracks(clip) if clip is not None else []:
            track.use_custom_color = True
            track.color = self.colour
        return {"FINISHED"}


def selected_tracks(clip: bpy.types.MovieClip) -> list[bpy.types.MovieTrackingTrack]:
    """Return the selected visible tracks of the active object."""
    active = clip.tracking.objects.active
    return [track for track in active.tracks if track.select and not track.hide] if active else []
