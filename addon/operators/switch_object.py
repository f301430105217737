"""Switch: toggle whether an object gets a matte, is exported, or is visible."""

from __future__ import annotations

import bpy

from ..clip.footage import active_clip
from ..language.properties import EnumProperty, StringProperty
from ..settings.clip_settings import ObjectSettings, settings_of
from .base import Result

_SWITCHES = ("use", "export", "hide", "solo")


class SPLATMATTE_OT_switch_object(bpy.types.Operator):
    """Make a matte of this object, or leave it out"""

    bl_idname = "splat_matte.switch_object"
    bl_label = "Switch Object"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    name: StringProperty(name="Object", description="Name of the object", options={"HIDDEN", "SKIP_SAVE"})
    what: EnumProperty(
        name="What",
        description="Which of its switches",
        items=[(switch, switch.capitalize(), "") for switch in _SWITCHES],
        options={"HIDDEN", "SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require a clip."""
        return active_clip(context) is not None

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        """Return the tooltip of the switch."""
        return bpy.app.translations.pgettext_tip(ObjectSettings.bl_rna.properties[properties.what].description)

    def execute(self, context: bpy.types.Context) -> Result:
        """Toggle the switch."""
        clip = active_clip(context)
        if clip is None:
            return {"CANCELLED"}
        entry = settings_of(clip).entry(self.name)
        setattr(entry, self.what, not getattr(entry, self.what))
        return {"FINISHED"}
