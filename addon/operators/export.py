"""Export: write a version; what is not tracked yet is tracked first."""

from __future__ import annotations

import bpy

from .job_operator import JobOperator


class SPLATMATTE_OT_export(JobOperator, bpy.types.Operator):
    """Write a new version of mattes. What isn't tracked yet is tracked first; footage is never touched"""

    bl_idname = "splat_matte.export"
    bl_label = "Export"
    verb = "export"
