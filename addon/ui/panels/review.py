"""Review: the doubtful frames and the reasons."""

from __future__ import annotations

import bpy

from ...clip.footage import scene_frame, shown_frame
from ...clip.prompts import count_of
from ...clip.summary import shown_summary_of
from ...contract.frame_numbers import shifted
from ...language import CONTEXT, translated
from ...settings.clip_settings import ClipSettings, SuspectSettings, settings_of
from ...tasks import job_run
from ...viewer.repairs import offers_of, refused_on
from ..text import draw_error, draw_text
from .base import ClipPanel, clip_of
from .job import missing_engine


class SPLATMATTE_UL_suspects(bpy.types.UIList):
    """Runs of doubtful frames: frame, object, reason."""

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: ClipSettings,
        item: SuspectSettings,
        icon: int,
        active_data: object,
        active_property: str,
        index: int = 0,
        flt_flag: int = 0,
    ) -> None:
        """Draw one row."""
        split = layout.split(factor=0.25)
        clip: bpy.types.MovieClip = data.id_data  # type: ignore[assignment]
        split.label(text=str(scene_frame(clip, item.frame)), translate=False, icon="ERROR")
        several = len({suspect.object_name for suspect in data.suspects}) > 1
        reason = _in_words(clip, item)
        split.label(text=f"{item.object_name}: {reason}" if several else reason, translate=False)

    def filter_items(  # type: ignore[override]  # Blender takes lists, whatever its stubs say
        self, context: bpy.types.Context, data: ClipSettings, property: str
    ) -> tuple[list[int], list[int]]:
        """Show only objects that get a matte."""
        return [self.bitflag_filter_item * data.uses(suspect.object_name) for suspect in data.suspects], []


class SPLATMATTE_PT_review(ClipPanel, bpy.types.Panel):
    """The suspects, worst first."""

    bl_label = "Review"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require a tracked object."""
        clip = clip_of(context)
        return clip is not None and any(entry.take for entry in settings_of(clip).objects)

    def draw_clip(self, context: bpy.types.Context, clip: bpy.types.MovieClip, settings: ClipSettings) -> None:
        """Draw the suspects, worst first, the reasons for this frame, and what to do about it."""
        layout = self.layout
        layout.template_list("SPLATMATTE_UL_suspects", "", settings, "suspects", settings, "suspect_index", rows=3)
        row = layout.row(align=True)
        for backwards, icon, text in ((True, "TRIA_LEFT", "Previous"), (False, "TRIA_RIGHT", "Next")):
            jump = row.operator("splat_matte.jump", text=text, text_ctxt=CONTEXT, icon=icon)  # type: ignore[arg-type]
            jump.kind, jump.backwards = "suspect", backwards
        layout.prop(settings, "poses", placeholder=translated("solved camera"))
        row = layout.row()
        row.enabled = missing_engine() is None
        row.operator("splat_matte.check_cameras", icon="CON_CAMERASOLVER")
        row = layout.row()
        row.enabled = missing_engine() is None
        row.operator("splat_matte.repair", icon="BRUSH_DATA")
        row = layout.row(align=True)
        row.operator("splat_matte.accept_repairs", text="Accept", text_ctxt=CONTEXT, icon="CHECKMARK").every = False
        row.operator("splat_matte.accept_repairs", text="Accept All", text_ctxt=CONTEXT).every = True
        _draw_offer(layout, context, clip)
        _draw_words(layout, context, clip, settings)
        run = job_run.latest(clip.name)
        if run is not None and run.verb in ("review", "repair") and run.error is not None:
            draw_error(layout, context, run.error)


def _draw_offer(layout: bpy.types.UILayout, context: bpy.types.Context, clip: bpy.types.MovieClip) -> None:
    """Draw this frame's offer, or why there is none, and the number of all offers, on two lines."""
    summary = shown_summary_of(clip)
    frame, offers = shown_frame(clip, context.space_data, context.scene), offers_of(clip, summary)
    here = [found[frame] for found in offers.values() if frame in found]
    refused = list(refused_on(clip, frame).values())
    if here:
        draw_text(layout, context, f"Offered here: {_shifted(clip, here[0])}", "LIGHT", lines=2)
    elif refused:
        draw_text(layout, context, f"Left alone: {_shifted(clip, refused[0])}", "INFO", lines=2)
    elif offers:
        count = count_of(sum(map(len, offers.values())), "repair")
        draw_text(layout, context, f"{count} offered on other frames.", "LIGHT", lines=2)
    else:
        draw_text(layout, context, "", lines=2)


def _shifted(clip: bpy.types.MovieClip, reason: str) -> str:
    return translated(shifted(reason, clip.frame_start - 1))


def _draw_words(
    layout: bpy.types.UILayout, context: bpy.types.Context, clip: bpy.types.MovieClip, settings: ClipSettings
) -> None:
    """Draw the reasons for this frame and what to do about it, usually with the same height on every frame."""
    frame = shown_frame(clip, context.space_data, context.scene)
    here = [suspect for suspect in settings.suspects_used() if suspect.first <= frame <= suspect.last]
    if not settings.suspects_used() and job_run.pending_of("track", clip) is not None:
        words, icon = "", "BLANK1"  # suspects are searched once everything is tracked
    elif not settings.suspects_used():
        words, icon = "No suspect frames: nothing that was tracked looks doubtful.", "CHECKMARK"
    elif not here:
        words, icon = "Nothing on this frame looks doubtful.", "CHECKMARK"
    elif any(frame == prompt.frame for some in shown_summary_of(clip).marked.values() for prompt in some):
        words, icon = "Marked: track again.", "CHECKMARK"
    else:
        words, icon = "If it is wrong here, add a marker and track again.", "INFO"
    draw_text(layout, context, words, icon, lines=2)
    for suspect in here:
        first, last = scene_frame(clip, suspect.first), scene_frame(clip, suspect.last)
        run = translated("{1} to {2}", first, last) if first < last else str(first)
        draw_text(
            layout, context, f"{suspect.object_name}, {run}: {_in_words(clip, suspect)}.", lines=2, translate=False
        )
    if not here:
        draw_text(layout, context, "", lines=2)


def _in_words(clip: bpy.types.MovieClip, suspect: SuspectSettings) -> str:
    """Return the reasons for a doubt, the strongest first."""
    return "; ".join(translated(shifted(part, clip.frame_start - 1)) for part in suspect.reason.split("; "))
