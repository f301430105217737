"""Preview: the matte of the shown frame, at once."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..clip.footage import active_clip, shown_frame
from ..contract.errors import MatteError
from ..runtime.log_file import logged
from ..viewer import previews
from .base import Result, fail, has_clip


class SPLATMATTE_OT_preview(bpy.types.Operator):
    """Show the matte of this frame as its markers make it, without tracking"""

    bl_idname = "splat_matte.preview"
    bl_label = "Preview"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require a clip."""
        return has_clip(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        """In a window: send the request; the answer is drawn when it arrives."""
        return self._request(context, wait=False)

    def execute(self, context: bpy.types.Context) -> Result:
        """Without a window, or from a script: wait for the answer."""
        return self._request(context, wait=True)

    @logged
    def _request(self, context: bpy.types.Context, wait: bool) -> Result:
        clip = active_clip(context)
        frame = shown_frame(clip, context.space_data, context.scene)
        try:
            reply = previews.request(clip, frame)
            if wait:
                for _ in reply:
                    pass
                previews.take_in(Path(reply.result["file"]), clip.name, frame)
        except MatteError as error:
            return fail(self, error)
        return {"FINISHED"}
