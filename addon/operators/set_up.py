"""Set Up: the engine, then the checkpoint that is recommended for this computer."""

from __future__ import annotations

import bpy

from .install_engine import InstallOperator
from .setup_operator import ask_for_network


class SPLATMATTE_OT_set_up(InstallOperator, bpy.types.Operator):
    """Install the engine, then download the checkpoint that is recommended for this computer. Blender stays usable"""

    bl_idname = "splat_matte.set_up"
    bl_label = "Set Up"
    with_checkpoint = True

    def arguments(self) -> list[str]:
        """As for the engine alone; the checkpoint always needs the network."""
        ask_for_network()
        return super().arguments()
