"""Track: fill the matte store with what the prompts ask for."""

from __future__ import annotations

import bpy

from .job_operator import JobOperator


class SPLATMATTE_OT_track(JobOperator, bpy.types.Operator):
    """Track the marked objects through the clip, in the background. Only what changed is tracked again"""

    bl_idname = "splat_matte.track"
    bl_label = "Track"
    verb = "track"
