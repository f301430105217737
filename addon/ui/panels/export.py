"""Export: target, folder and version of the mattes."""

from __future__ import annotations

import bpy

from ...clip.summary import shown_summary_of
from ...contract.targets import TARGETS, Rules
from ...language import CONTEXT, translated
from ...settings.clip_settings import ClipSettings
from ...settings.preferences import preferences
from ..text import draw_text
from .base import ClipPanel
from .job import draw_end, draw_outcome, draw_pending, is_marked
from .presets import SPLATMATTE_PT_export_presets


class SPLATMATTE_PT_export(ClipPanel, bpy.types.Panel):
    """Target, folder and version."""

    bl_label = "Export"

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        """Draw the menu of presets."""
        SPLATMATTE_PT_export_presets.draw_panel_header(self.layout)

    def draw_clip(self, context: bpy.types.Context, clip: bpy.types.MovieClip, settings: ClipSettings) -> None:
        """Draw target and folder, the way back into Blender, and the written version."""
        layout = self.layout
        layout.prop(settings, "target")
        target = TARGETS[settings.target]
        rules = target.rules
        description = translated("{1}.", bpy.app.translations.pgettext_tip(target.description))
        draw_text(layout, context, description, translate=False)
        if rules.writer == "nerfstudio":
            layout.prop(settings, "transforms")
        if rules.invertible:
            layout.prop(settings, "invert")
        layout.prop(settings, "refine")
        if rules.pair:
            layout.prop(settings, "capture")
        if rules.views:
            layout.prop(settings, "views")
        if rules.edge_colours:
            layout.prop(settings, "edge_colours")
        if rules.bands:
            layout.prop(settings, "ignored_band")
            layout.prop(settings, "ignore_doubtful")
        if rules.weighs:
            layout.prop(settings, "greys")
        layout.prop(settings, "output", placeholder=translated("beside the footage"))
        row = layout.row()
        row.active = not settings.output
        row.prop(settings, "beside")
        _draw_advanced(layout, context, settings, rules)
        if settings.dropped:
            draw_text(layout, context, "Dropped frames are left out: see Which Frames.", "INFO")
        if rules.found:
            draw_text(layout, context, "Find Parts under Without Clicking, and export there.", "INFO")
        row = layout.row(align=True)
        row.operator("splat_matte.to_compositor", text="To Compositor", text_ctxt=CONTEXT, icon="NODE_COMPOSITING")
        row.operator("splat_matte.to_mask", text="To Mask", text_ctxt=CONTEXT, icon="MOD_MASK")
        if not rules.found:
            draw_outcome(layout, context, "export", clip, shown_summary_of(clip))
            _draw_farm(layout, context, clip)


def _draw_advanced(
    layout: bpy.types.UILayout, context: bpy.types.Context, settings: ClipSettings, rules: Rules
) -> None:
    """Draw the frames, the version to continue, and settings that only some footage needs."""
    header, body = layout.panel("splat_matte_export_advanced", default_closed=True)
    header.label(text="Frames and Version", text_ctxt=CONTEXT)
    if body is None:
        return
    if rules.one_file:
        rate = context.scene.render.fps / context.scene.render.fps_base
        draw_text(body, context, f"One file with all frames; of images at the scene's {rate:.5g} frames a second.")
    else:
        body.prop(settings, "export_scope")
        body.prop(settings, "export_into")
    body.prop(settings, "export_use_range")
    if settings.export_use_range:
        row = body.row(align=True)
        row.prop(settings, "scene_export_start", text="Frames", text_ctxt=CONTEXT)
        row.prop(settings, "scene_export_end", text="")
    if rules.has_alpha:
        body.prop(settings, "plate_alpha")


def _draw_farm(layout: bpy.types.UILayout, context: bpy.types.Context, clip: bpy.types.MovieClip) -> None:
    """Draw the farm of the preferences, the paths of its workers, the button, and the result."""
    header, body = layout.panel("splat_matte_farm", default_closed=True)
    header.label(text="Farm", text_ctxt=CONTEXT)
    if body is None:
        return
    chosen = preferences()
    body.prop(chosen, "farm")
    if chosen.farm == "flamenco":
        body.prop(chosen, "farm_manager")
    body.prop(chosen, "farm_device")
    body.prop(chosen, "farm_runtime", placeholder=translated("this computer's"))
    body.prop(chosen, "farm_code", placeholder=translated("this computer's"))
    body.prop(chosen, "farm_folder", placeholder=translated("beside the mattes"))
    row = body.row(align=True)
    if not draw_pending(row, "farm", clip):
        row.enabled &= is_marked(shown_summary_of(clip))
        row.operator("splat_matte.send_to_farm", icon="NETWORK_DRIVE")
    draw_end(body, context, "farm", clip)
