"""Find footage: search the moved files of a clip."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..clip.footage import active_clip
from ..clip.names import follow_names
from ..clip.sequence import find_moved
from ..clip.summary import refresh
from ..language import translated
from ..language.properties import BoolProperty, StringProperty
from .base import Result, has_clip


class SPLATMATTE_OT_find_footage(bpy.types.Operator):
    """Find footage that was moved: near the .blend file, or in a folder that you name. Its mattes are found with it"""

    bl_idname = "splat_matte.find_footage"
    bl_label = "Find Footage"
    bl_options = {"REGISTER", "UNDO"}

    directory: StringProperty(
        name="Folder",
        description="Folder that is searched, with all folders in it",
        subtype="DIR_PATH",
        options={"SKIP_SAVE"},
    )
    filter_folder: BoolProperty(
        name="Folders", description="Show folders", default=True, options={"HIDDEN", "SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require a clip."""
        return has_clip(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        """Search near the .blend file; if nothing is found, ask for a folder."""
        if self._look(context):
            return {"FINISHED"}
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> Result:
        """Search the folder; without one, near the .blend file."""
        if self._look(context):
            return {"FINISHED"}
        name = Path(active_clip(context).filepath).name
        place = self.directory or "a folder near the .blend file"
        self.report({"ERROR"}, translated(f"{name} is not in {place}"))
        return {"CANCELLED"}

    def _look(self, context: bpy.types.Context) -> bool:
        clip = active_clip(context)
        lost = Path(bpy.path.abspath(clip.filepath, library=clip.library))
        blend = Path(bpy.data.filepath).parent if bpy.data.filepath else None
        folder = Path(self.directory) if self.directory else None
        found = find_moved(lost, blend, folder)
        if found is None:
            return False
        if found != lost:
            clip.filepath = str(found)
            context.view_layer.update()  # makes Blender read the file
            if isinstance(context.space_data, bpy.types.SpaceClipEditor):
                bpy.ops.clip.reload()
            refresh()
        follow_names(clip)
        self.report({"INFO"}, translated(f"Found: {found}"))
        return True
