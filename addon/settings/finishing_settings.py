"""The settings of an object's finishing, saved with the clip in the .blend. job_types.Finishing describes the steps."""

from __future__ import annotations

from typing import Any

import bpy

from ..contract.job_checks import MAX_LENGTH, MAX_SOFT, MAX_TEMPORAL
from ..language.properties import BoolProperty, FloatProperty, IntProperty, PointerProperty, StringProperty
from .mask_changes import masks_changed


def _forget(settings: FinishingSettings, _: bpy.types.Context) -> None:
    masks_changed()


def _others(settings: FinishingSettings, _: bpy.types.Context, __: str) -> list[str]:
    """The names of the clip's other objects, for the search menu."""
    clip: Any = settings.id_data
    entries = clip.splat_matte.objects
    names = {tracking_object.name for tracking_object in clip.tracking.objects} | {entry.name for entry in entries}
    return sorted(names - {entry.name for entry in entries if entry.finishing == settings})


class FinishingSettings(bpy.types.PropertyGroup):
    """The finishing steps of an object's mattes."""

    temporal: IntProperty(
        name="Temporal Median",
        description="Against chatter: the median over so many frames to either side. "
        "Thin parts that move fast suffer from it",
        default=0,
        min=0,
        max=MAX_TEMPORAL,
    )
    fill_holes: IntProperty(
        name="Fill Holes",
        description="Fill holes up to this area, in pixels of the plate",
        default=0,
        min=0,
        soft_max=100_000,
        step=100,
        subtype="PIXEL",
    )
    remove_islands: IntProperty(
        name="Remove Islands",
        description="Remove separate parts up to this area, in pixels of the plate",
        default=0,
        min=0,
        soft_max=100_000,
        step=100,
        subtype="PIXEL",
    )
    smooth: FloatProperty(
        name="Smooth",
        description="Even out bumps and notches of about this size, in pixels of the plate",
        default=0.0,
        min=0.0,
        max=MAX_LENGTH,
        soft_max=50.0,
        precision=1,
        step=50,
        subtype="PIXEL",
    )
    grow: FloatProperty(
        name="Grow",
        description="Move the edge outwards by so many pixels of the plate. Below zero: inwards",
        default=0.0,
        min=-MAX_LENGTH,
        max=MAX_LENGTH,
        soft_min=-50.0,
        soft_max=50.0,
        precision=1,
        step=50,
        subtype="PIXEL",
    )
    subtract: StringProperty(
        name="Subtract",
        description="The object whose matte is taken away from this one",
        search=_others,
    )
    invert: BoolProperty(name="Invert", description="Swap this object and the rest")
    soft: FloatProperty(
        name="Soft Matte",
        description="Hair, fur, leaves, motion blur: in so many pixels of the plate to either side of the edge, "
        "real alpha is estimated from the plate. For programs that keep greys",
        default=0.0,
        min=0.0,
        max=MAX_SOFT,
        soft_max=50.0,
        precision=0,
        step=100,
        subtype="PIXEL",
    )
    feather: FloatProperty(
        name="Feather",
        description="Width of a soft edge, in pixels of the plate. For compositing: trainers get hard edges",
        default=0.0,
        min=0.0,
        max=MAX_LENGTH,
        soft_max=50.0,
        precision=1,
        step=50,
        subtype="PIXEL",
    )
    garbage: PointerProperty(
        name="Garbage Matte",
        type=bpy.types.Mask,
        description="What lies inside this mask is taken away. Invert a layer of it to keep only what lies inside",
        update=_forget,
    )

    def state(self) -> tuple[object, ...]:
        """The values of all settings, to be compared for changes."""
        garbage = self.garbage.name_full if self.garbage else ""
        edge = (self.smooth, self.grow, self.soft, self.feather)
        return (self.temporal, self.fill_holes, self.remove_islands, *edge, self.subtract, self.invert, garbage)

    @property
    def is_on(self) -> bool:
        """Whether any finishing step is on."""
        return any(self.state())
