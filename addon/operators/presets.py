"""Presets of Finishing and Export, stored by Blender's own system in the user's preset folder."""

from __future__ import annotations

import bpy
from bl_operators.presets import AddPresetBase

FINISHING, EXPORT = "splat_matte/finishing", "splat_matte/export"  # folders of presets
_CLIP = "clip = bpy.context.edit_movieclip"


class SPLATMATTE_OT_finishing_preset(AddPresetBase, bpy.types.Operator):
    """Add or remove a preset of the finishing of the chosen object, without its masks and other objects"""

    bl_idname = "splat_matte.finishing_preset"
    bl_label = "Add Finishing Preset"
    preset_menu = "SPLATMATTE_PT_finish_presets"
    preset_subdir = FINISHING
    preset_defines = (
        _CLIP,
        "finishing = clip.splat_matte.entry(clip.tracking.objects.active.name).finishing",
    )
    preset_values = (
        "finishing.temporal",
        "finishing.fill_holes",
        "finishing.remove_islands",
        "finishing.smooth",
        "finishing.grow",
        "finishing.invert",
        "finishing.soft",
        "finishing.feather",
    )


class SPLATMATTE_OT_export_preset(AddPresetBase, bpy.types.Operator):
    """Add or remove a preset of the export, without folders, files and ranges"""

    bl_idname = "splat_matte.export_preset"
    bl_label = "Add Export Preset"
    preset_menu = "SPLATMATTE_PT_export_presets"
    preset_subdir = EXPORT
    preset_defines = (_CLIP, "settings = clip.splat_matte")
    preset_values = (
        "settings.target",
        "settings.invert",
        "settings.refine",
        "settings.capture",
        "settings.views",
        "settings.edge_colours",
        "settings.ignored_band",
        "settings.ignore_doubtful",
        "settings.greys",
        "settings.plate_alpha",
        "settings.export_scope",
        "settings.export_into",
    )
