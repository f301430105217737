"""Mark as Include: the selected tracks are on the subject."""

from __future__ import annotations

import bpy

from ..settings.palette import INCLUDE
from .role import RoleOperator


class SPLATMATTE_OT_mark_include(RoleOperator, bpy.types.Operator):
    """The selected tracks are on the subject. Coloured green; tracks without a colour count the same"""

    bl_idname = "splat_matte.mark_include"
    bl_label = "Mark as Include"
    colour = INCLUDE
