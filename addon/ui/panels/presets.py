"""Presets in the headers of Finishing and Export, as Blender's own panels have them."""

from __future__ import annotations

import bpy
from bl_ui.utils import PresetPanel

from ...operators.presets import EXPORT, FINISHING


class SPLATMATTE_PT_finish_presets(PresetPanel, bpy.types.Panel):
    """The presets of an object's finishing."""

    bl_label = "Finishing Presets"
    preset_subdir = FINISHING
    preset_operator = "script.execute_preset"
    preset_add_operator = "splat_matte.finishing_preset"


class SPLATMATTE_PT_export_presets(PresetPanel, bpy.types.Panel):
    """The presets of the export."""

    bl_label = "Export Presets"
    preset_subdir = EXPORT
    preset_operator = "script.execute_preset"
    preset_add_operator = "splat_matte.export_preset"
