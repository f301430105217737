"""Mark as Exclude: the selected tracks are on what is not the subject."""

from __future__ import annotations

import bpy

from ..settings.palette import EXCLUDE
from .role import RoleOperator


class SPLATMATTE_OT_mark_exclude(RoleOperator, bpy.types.Operator):
    """The selected tracks are on what is not the subject. Coloured red"""

    bl_idname = "splat_matte.mark_exclude"
    bl_label = "Mark as Exclude"
    colour = EXCLUDE
