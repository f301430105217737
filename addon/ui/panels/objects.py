"""Subject: the objects, their marks, and what will be sent."""

from __future__ import annotations

import bpy

from ...clip.marks import is_empty_camera
from ...clip.mask import repaired_object
from ...clip.prompts import Prompts, count_of
from ...clip.summary import Summary, shown_summary_of
from ...language import translated
from ...results.take_reader import tracked_frames
from ...settings.clip_settings import ClipSettings, settings_of
from ..text import draw_text
from .base import ClipPanel, clip_of
from .marks import draw_marks


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
        """Draw one row."""
        clip = clip_of(context)
        if clip is None:
            return
        _draw_object(layout, settings_of(clip), item)

    def filter_items(  # type: ignore[override]  # plain lists are what Blender takes
        self, context: bpy.types.Context, data: bpy.types.MovieTracking, property: str
    ) -> tuple[list[int], list[int]]:
        """Hide Blender's own object if it is empty and there are others."""
        objects = data.objects
        alone = len(objects) == 1
        return [self.bitflag_filter_item if alone or not is_empty_camera(item) else 0 for item in objects], []


class SPLATMATTE_PT_objects(ClipPanel, bpy.types.Panel):
    """The objects and their marks."""

    bl_label = "Subject"

    def draw_clip(self, context: bpy.types.Context, clip: bpy.types.MovieClip, settings: ClipSettings) -> None:
        """Draw the objects, how to mark them, and which marks will be sent."""
        layout = self.layout
        tracking = clip.tracking
        row = layout.row()
        row.template_list(
            "SPLATMATTE_UL_objects", "", tracking, "objects", tracking, "active_object_index", rows=3, maxrows=8
        )
        buttons = row.column(align=True)
        buttons.operator("clip.tracking_object_new", text="", icon="ADD")
        buttons.operator("clip.tracking_object_remove", text="", icon="REMOVE")
        buttons.separator()
        buttons.operator("splat_matte.object_from_tracks", text="", icon="TRACKER")
        layers = settings.mask.layers if settings.mask else ()
        for layer in layers:
            if layer.name not in tracking.objects and not repaired_object(layer.name):
                _draw_object(layout.box(), settings, layer)
        summary = shown_summary_of(clip)
        _draw_active(layout, context, clip, summary.prompts)
        draw_marks(layout, context, clip, summary.prompts)
        _draw_export(layout, tracking, settings)

        layout.prop(settings, "mask")
        layout.prop(settings, "tracked_step")

        _draw_prompts(layout, context, summary)
        _draw_ignored(layout, context, summary.prompts.ignored if summary.prompts else [])


def _draw_object(
    layout: bpy.types.UILayout, settings: ClipSettings, item: bpy.types.MovieTrackingObject | bpy.types.MaskLayer
) -> None:
    """Draw one object: the switch for its matte, its colour and name, its visibility."""
    entry = settings.objects.get(item.name)
    used = settings.uses(item.name)
    row = layout.row(align=True)
    _switch(row, item.name, "use", "CHECKBOX_HLT" if used else "CHECKBOX_DEHLT")
    if entry is not None:
        colour = row.row()
        colour.ui_units_x = 0.8
        colour.prop(entry, "colour", text="")
    name = row.row()
    name.active = used
    name.prop(item, "name", text="", emboss=False)
    if not used:
        return
    if not settings.exports(item.name):
        row.label(icon="UNPINNED")
    solo = entry is not None and entry.solo
    _switch(row, item.name, "solo", "SOLO_ON" if solo else "SOLO_OFF")
    _switch(row, item.name, "hide", "HIDE_OFF" if settings.shows(item.name) else "HIDE_ON")


def _switch(layout: bpy.types.UILayout, name: str, what: str, icon: str) -> None:
    switch = layout.operator("splat_matte.switch_object", text="", icon=icon, emboss=False)  # type: ignore[arg-type]
    switch.name, switch.what = name, what


def _draw_active(
    layout: bpy.types.UILayout, context: bpy.types.Context, clip: bpy.types.MovieClip, prompts: Prompts | None
) -> None:
    """Draw the marks and mattes of the object that is selected in the list, on two lines."""
    active = clip.tracking.objects.active
    settings = settings_of(clip)
    words = ""
    if active is not None:
        marks = prompts.marks.get(active.name) if prompts else None
        marked = marks.in_words() if marks else translated("nothing marked")
        done = count_of(len(tracked_frames(settings.take_of(active.name))), "frame")
        if prompts is None:
            words = f"{active.name}: {done} tracked"
        elif not settings.uses(active.name):
            words = f"{active.name} is switched off."
        else:
            words = f"{active.name}: {marked}; {done} tracked"
    draw_text(layout, context, words, "TRACKING", lines=2)


def _draw_export(layout: bpy.types.UILayout, tracking: bpy.types.MovieTracking, settings: ClipSettings) -> None:
    """Draw the switches Export and Shadow of the selected object; without settings, a row of the same height."""
    entry = settings.chosen()
    if entry is not None:
        row = layout.row()
        row.use_property_split = False  # both switches need the width
        row.prop(entry, "export")
        shadow = row.row()
        shadow.active = entry.export
        shadow.prop(entry, "shadow")
        row = layout.split(factor=0.6, align=True)
        row.prop(entry, "solved", text="")
        step = row.row(align=True)
        step.active = entry.solved != "OFF"
        step.prop(entry, "solved_step")
    else:
        layout.label()
        layout.label()


def _draw_prompts(layout: bpy.types.UILayout, context: bpy.types.Context, summary: Summary) -> None:
    """Draw what will be sent, on two lines, then what each object lacks."""
    box = layout.box()
    prompts = summary.prompts
    if prompts is None:
        words, icon = summary.error.message if summary.error else "", "ERROR"
    elif not prompts.marks:
        words, icon = "Press Mark Subject, then click on the subject.", "INFO"
    else:
        words, icon = f"Will be sent: {prompts.in_words()}.", "CHECKMARK"
    draw_text(box, context, words, icon, lines=2)
    if prompts is None:
        return
    for name, marks in prompts.marks.items():
        if not any(prompt.stands_alone for prompt in marks.prompts()):
            draw_text(box, context, f"{name} has only exclude marks: add a marker on the subject.", "ERROR")
        elif len(prompts.marks) > 1:
            draw_text(box, context, f"{name}: {marks.in_words()}")


def _draw_ignored(layout: bpy.types.UILayout, context: bpy.types.Context, ignored: list[str]) -> None:
    """Draw marks that do not count, with reasons. Drawn last, so that no button of the panel moves."""
    if not ignored:
        return
    header, body = layout.panel("splat_matte_ignored", default_closed=True)
    header.label(text=translated(f"Ignored ({len(ignored)})"), translate=False, icon="HIDE_ON")
    if body is not None:
        for sentence in ignored:
            draw_text(body, context, sentence, "DOT")
