"""Settings of the person, in Blender's preferences: what belongs to the computer and not to a clip."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, FloatProperty, IntProperty, StringProperty

from .user_folder import user_folder

EXTENSION_PACKAGE = (__package__ or "").rpartition(".")[0]


class Preferences(bpy.types.AddonPreferences):
    """What belongs to the computer."""

    bl_idname = EXTENSION_PACKAGE

    engine_python: StringProperty(  # type: ignore[valid-type]
        name="Engine Python",
        description="The Python that has torch and sam2. Empty: SPLAT_MATTE_PYTHON, or the runtime in the folder below",
        subtype="FILE_PATH",
    )
    folder: StringProperty(  # type: ignore[valid-type]
        name="Data Folder",
        description=f"Where runtime and checkpoints are, some gigabytes. Empty: {user_folder()}",
        subtype="DIR_PATH",
    )
    device: EnumProperty(  # type: ignore[valid-type]
        name="Device",
        description="What the model runs on",
        items=[
            ("auto", "Automatic", "The GPU where there is one that can, else the CPU"),
            ("cuda", "CUDA", "An NVIDIA GPU"),
            ("mps", "Metal", "The GPU of a Mac"),
            ("cpu", "CPU", "Slow, but always there"),
        ],
    )
    threads: IntProperty(  # type: ignore[valid-type]
        name="CPU Threads", description="How many the engine uses. 0: as it likes", default=0, min=0, max=256
    )
    cache_gigabytes: FloatProperty(  # type: ignore[valid-type]
        name="Cache (GB)",
        description="Disk space beside the mattes of each clip for image features, so that a correction is tracked "
        "sooner. 0: none",
        default=4.0,
        min=0.0,
        max=1000.0,
        precision=1,
    )

    def draw(self, context: bpy.types.Context) -> None:
        """In Blender's preferences."""
        layout = self.layout
        layout.use_property_split = True
        for name in ("engine_python", "folder", "device", "threads", "cache_gigabytes"):
            layout.prop(self, name)


def preferences() -> Preferences:
    """This extension's."""
    return bpy.context.preferences.addons[EXTENSION_PACKAGE].preferences  # type: ignore[return-value, union-attr]


CLASSES = (Preferences,)
