"""Set Up: install the engine, then download the checkpoint that is recommended for this computer."""

from __future__ import annotations

import bpy

from ..tasks import setup_run
from .install_engine import InstallOperator
from .setup_operator import ask_for_network


class SPLATMATTE_OT_set_up(InstallOperator, bpy.types.Operator):
    """Install the engine, then download the checkpoint that is recommended for this computer. Blender stays usable"""

    bl_idname = "splat_matte.set_up"
    bl_label = "Set Up"
    with_checkpoint = True

    def arguments(self) -> list[str]:
        """Return the engine's plan. A checkpoint that is not here yet needs the network, even with wheels."""
        official = setup_run.recommended_checkpoint()
        if not setup_run.has_checkpoint(official):
            ask_for_network(official)
        return super().arguments()
