"""The panels under the tab "Splat Matte", in the order of the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from .. import live
from ..clip.prompts import Prompts, count_of
from ..clip.summary import Summary, summary_of
from ..errors import Cancelled, MatteError
from ..operators import running
from ..operators.job_operator import outcome
from ..properties import EXTENSION_PACKAGE, ClipSettings, preferences, settings_of
from ..runtime import find_python
from ..targets import TARGETS
from . import overlay
from .text import draw_error, draw_text

# Blender takes a panel's attributes from mix-ins too, as long as these are plain classes.
if TYPE_CHECKING:
    PanelMixin = bpy.types.Panel
else:
    PanelMixin = object


class _Panel(PanelMixin):
    """Where all of them are."""

    bl_space_type = "CLIP_EDITOR"
    bl_region_type = "UI"
    bl_category = "Splat Matte"


class _ClipPanel(_Panel):
    """Those that need a clip."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """A clip in the editor."""
        return _clip(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """What the panel says of the clip."""
        self.layout.use_property_split = True
        self.layout.use_property_decorate = False
        clip = _clip(context)
        self.draw_clip(context, self.layout, clip, settings_of(clip))

    def draw_clip(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        clip: bpy.types.MovieClip,
        settings: ClipSettings,
    ) -> None:
        """Each panel's own."""
        raise NotImplementedError


class SPLATMATTE_PT_footage(_Panel, bpy.types.Panel):
    """What will be read."""

    bl_label = "Footage"

    def draw(self, context: bpy.types.Context) -> None:
        """The clip and what is odd about it."""
        layout = self.layout
        clip = _clip(context)
        if clip is None:
            draw_text(layout, context, "Open an image sequence or a movie to start.", "INFO")
            layout.operator("clip.open", text="Open Footage", icon="FILE_FOLDER")
            return
        summary = summary_of(clip)
        if summary.plate is None:
            draw_error(layout, context, summary.error)
            layout.operator("clip.reload", text="Reload Clip", icon="FILE_REFRESH")
            return
        footage = summary.plate.footage
        draw_text(layout, context, clip.name, "SEQUENCE" if not footage.movie else "FILE_MOVIE")
        size = f"{footage.width} x {footage.height} pixels"
        draw_text(layout, context, f"{count_of(footage.frame_count, 'frame')}, {size}")
        for warning in summary.warnings:
            draw_text(layout, context, warning, "ERROR")
        if summary.warnings:
            layout.operator("clip.reload", text="Reload Clip", icon="FILE_REFRESH")


class SPLATMATTE_UL_objects(bpy.types.UIList):
    """Tracking objects: whether they get a matte, their name, how much is marked."""

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: object,
        item: bpy.types.MovieTrackingObject,
        icon: int,
        active_data: object,
        active_property: str,
        index: int = 0,
        flt_flag: int = 0,
    ) -> None:
        """One row."""
        clip = _clip(context)
        if clip is None:
            return
        used = settings_of(clip).uses(item.name)
        row = layout.row(align=True)
        _switch(row, item.name, used)
        name = row.row()
        name.active = used
        name.prop(item, "name", text="", emboss=False)


class SPLATMATTE_PT_objects(_ClipPanel, bpy.types.Panel):
    """What is marked."""

    bl_label = "Objects and Prompts"

    def draw_clip(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        clip: bpy.types.MovieClip,
        settings: ClipSettings,
    ) -> None:
        """The objects, how to mark them, what will be sent and what won't."""
        tracking = clip.tracking
        row = layout.row()
        row.template_list(
            "SPLATMATTE_UL_objects", "", tracking, "objects", tracking, "active_object_index", rows=3, maxrows=8
        )
        buttons = row.column(align=True)
        buttons.operator("clip.tracking_object_new", text="", icon="ADD")
        buttons.operator("clip.tracking_object_remove", text="", icon="REMOVE")

        row = layout.row(align=True)
        row.operator("splat_matte.mark_include", text="Include", icon="ADD")
        row.operator("splat_matte.mark_exclude", text="Exclude", icon="REMOVE")

        layout.prop(settings, "mask")
        layout.prop(settings, "tracked_step")

        summary = summary_of(clip)
        if summary.prompts is not None:
            _draw_prompts(layout, context, summary.prompts)
            _draw_ignored(layout, context, summary.prompts)


class SPLATMATTE_PT_track(_ClipPanel, bpy.types.Panel):
    """How the model is run."""

    bl_label = "Track"

    def draw_clip(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        clip: bpy.types.MovieClip,
        settings: ClipSettings,
    ) -> None:
        """Model, direction, range; the button, or how far it is."""
        layout.prop(settings, "checkpoint")
        if settings.checkpoint == "FILE":
            for name in ("checkpoint_file", "checkpoint_config", "checkpoint_trust"):
                layout.prop(settings, name)
        layout.prop(settings, "direction")
        layout.prop(settings, "use_range")
        if settings.use_range:
            row = layout.row(align=True)
            row.prop(settings, "range_start", text="Frames")
            row.prop(settings, "range_end", text="")
        if missing := _missing_engine():
            draw_error(layout, context, missing)
            open_preferences = layout.operator("preferences.addon_show", text="Open Preferences", icon="PREFERENCES")
            open_preferences.module = EXTENSION_PACKAGE
        summary = summary_of(clip)
        row = layout.row(align=True)
        row.use_property_split = False
        row.enabled = missing is None
        preview = row.row(align=True)
        preview.enabled = _is_marked(summary)
        preview.operator("splat_matte.preview", icon="HIDE_OFF")
        row.prop(settings, "live", toggle=True)
        if live.error():
            draw_text(layout, context, live.error(), "ERROR")
        _draw_job(layout, context, "track", clip, summary)


class SPLATMATTE_PT_overlay(_ClipPanel, bpy.types.Panel):
    """How the mattes are shown."""

    bl_label = "Overlay"

    def draw_header(self, context: bpy.types.Context) -> None:
        """On and off."""
        clip = _clip(context)
        if clip is not None:
            self.layout.prop(settings_of(clip), "overlay_show", text="")

    def draw_clip(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        clip: bpy.types.MovieClip,
        settings: ClipSettings,
    ) -> None:
        """Style, lane; why nothing is to be seen."""
        column = layout.column()
        column.active = settings.overlay_show
        column.prop(settings, "overlay_style")
        if settings.overlay_style == "fill":
            column.prop(settings, "overlay_opacity", slider=True)
        layout.prop(settings, "overlay_lane")
        if overlay.is_stabilised(context.space_data):  # type: ignore[arg-type]
            draw_text(layout, context, "Mattes are not drawn over a stabilised plate: switch that off.", "INFO")


class SPLATMATTE_PT_export(_ClipPanel, bpy.types.Panel):
    """Where the mattes go."""

    bl_label = "Export"

    def draw_clip(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        clip: bpy.types.MovieClip,
        settings: ClipSettings,
    ) -> None:
        """Target and folder; the button; the version that was written."""
        layout.prop(settings, "target")
        rules = TARGETS[settings.target].rules
        if rules.writer == "nerfstudio":
            layout.prop(settings, "transforms")
        if rules.invertible:
            layout.prop(settings, "invert")
        layout.prop(settings, "output", placeholder="beside the footage")
        _draw_job(layout, context, "export", clip, summary_of(clip))


def _clip(context: bpy.types.Context) -> bpy.types.MovieClip | None:
    space = context.space_data
    return space.clip if isinstance(space, bpy.types.SpaceClipEditor) else None


def _switch(layout: bpy.types.UILayout, name: str, used: bool) -> None:
    switch = layout.operator(
        "splat_matte.switch_object", text="", icon="CHECKBOX_HLT" if used else "CHECKBOX_DEHLT", emboss=False
    )
    switch.name = name


def _is_marked(summary: Summary) -> bool:
    return summary.prompts is not None and bool(summary.prompts.marks)


def _draw_prompts(layout: bpy.types.UILayout, context: bpy.types.Context, prompts: Prompts) -> None:
    """What will be sent, per object."""
    if not prompts.marks:
        draw_text(layout, context, "Ctrl-click on the subject to add a marker.", "INFO")
        return
    box = layout.box()
    draw_text(box, context, f"Will be sent: {prompts.in_words()}.", "CHECKMARK")
    for name, marks in prompts.marks.items():
        if not any(prompt.stands_alone for prompt in marks.prompts()):
            draw_text(box, context, f"{name} has only exclude marks: add a marker on the subject.", "ERROR")
        elif len(prompts.marks) > 1:
            draw_text(box, context, f"{name}: {marks.in_words()}")


def _draw_ignored(layout: bpy.types.UILayout, context: bpy.types.Context, prompts: Prompts) -> None:
    if not prompts.ignored:
        return
    header, body = layout.panel("splat_matte_ignored", default_closed=True)
    header.label(text=f"Ignored ({len(prompts.ignored)})", icon="HIDE_ON")
    if body is not None:
        for sentence in prompts.ignored:
            draw_text(body, context, sentence, "DOT")


def _missing_engine() -> MatteError | None:
    """Why the engine can't be started, if it can't."""
    chosen = preferences()
    try:
        find_python(bpy.path.abspath(chosen.engine_python), bpy.path.abspath(chosen.folder))
    except MatteError as error:
        return error
    return None


def _draw_job(
    layout: bpy.types.UILayout,
    context: bpy.types.Context,
    verb: running.Verb,
    clip: bpy.types.MovieClip,
    summary: Summary,
) -> None:
    """The verb's button; while it runs, how far it is; then, how it went."""
    run = running.latest()
    if run is not None and run.active and run.verb == verb:
        layout.progress(factor=run.fraction, text=run.in_words())
        layout.operator("splat_matte.cancel", icon="CANCEL")
        return
    row = layout.row()
    row.scale_y = 1.4
    row.enabled = _is_marked(summary) and _missing_engine() is None
    row.operator(f"splat_matte.{verb}", icon="TRACKING_FORWARDS" if verb == "track" else "EXPORT")
    if run is None or run.active or run.verb != verb or run.clip != clip.name:
        return
    if run.error is None:
        draw_text(layout, context, outcome(run) + ".", "CHECKMARK")
        for warning in run.warnings:
            draw_text(layout, context, warning, "ERROR")
        if run.result is not None and "folder" in run.result:
            layout.operator("splat_matte.open_folder", icon="FILE_FOLDER")
    elif isinstance(run.error, Cancelled):
        draw_text(layout, context, "Stopped. What was tracked is kept: start again to go on.", "INFO")
    else:
        draw_error(layout, context, run.error)


CLASSES = (
    SPLATMATTE_UL_objects,
    SPLATMATTE_PT_footage,
    SPLATMATTE_PT_objects,
    SPLATMATTE_PT_track,
    SPLATMATTE_PT_overlay,
    SPLATMATTE_PT_export,
)
