"""To compositor: add the latest version as nodes over the plate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from ..clip.footage import active_clip, matte_folder
from ..clip.prompts import count_of
from ..clip.sequence import pattern_of
from ..clip.summary import summary_of
from ..contract.targets import TARGETS
from ..language import translated
from ..results.take_reader import latest_version, report_of
from .base import Result

_IMAGES = {".png", ".exr", ".tif", ".tiff", ".jpg", ".jpeg", ".webp"}
_GAP = 300  # distance between nodes


class SPLATMATTE_OT_to_compositor(bpy.types.Operator):
    """Add the latest version to the compositor: the plate, the mattes as an image sequence, the alpha set"""

    bl_idname = "splat_matte.to_compositor"
    bl_label = "Mattes to Compositor"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Require that a version was written."""
        clip = active_clip(context)
        if clip is None or _latest(clip) is None:
            cls.poll_message_set(translated("Export first"))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> Result:
        """Add a plate, and for each sequence of the version an image and a Set Alpha node."""
        clip = active_clip(context)
        version = _latest(clip)
        sequences = sorted({file.parent: file for file in _images(version)}.items())
        if not sequences:
            self.report({"ERROR"}, translated(f"{version.name} holds no images that Blender shows"))
            return {"CANCELLED"}
        try:
            target = report_of(version)["export"]["target"]
        except (OSError, ValueError, KeyError, TypeError):
            self.report({"ERROR"}, translated(f"{version.name}.json can't be read: export again"))
            return {"CANCELLED"}
        rules = TARGETS[target].rules if target in TARGETS else None
        has_alpha = rules is not None and rules.has_alpha
        first_number = 0 if rules is not None and "{place}" in rules.pattern else _first_number(clip)
        tree = _tree(context.scene)
        below = min((node.location[1] - node.height for node in tree.nodes), default=0) - _GAP / 2
        frame = tree.nodes.new("NodeFrame")
        frame.label = f"Splat Matte {version.name}: {clip.name}"
        plate: Any = tree.nodes.new("CompositorNodeMovieClip")
        plate.clip = clip
        plate.parent, plate.location = frame, (0, below)
        for i, (folder, first) in enumerate(sequences):
            matte: Any = tree.nodes.new("CompositorNodeImage")
            matte.image = bpy.data.images.load(str(first), check_existing=True)
            matte.image.source = "SEQUENCE"
            matte.image.colorspace_settings.is_data = not has_alpha  # a mask is data, not colour
            matte.frame_duration = clip.frame_duration
            matte.frame_start = clip.frame_start
            matte.frame_offset = first_number - 1
            matte.label = version.name if folder == version else folder.name
            matte.parent, matte.location = frame, (_GAP, below - (i + 0.5) * _GAP)
            alpha = tree.nodes.new("CompositorNodeSetAlpha")
            alpha.parent, alpha.location = frame, (2 * _GAP, below - i * _GAP)
            tree.links.new(plate.outputs["Image"], alpha.inputs["Image"])
            tree.links.new(matte.outputs["Alpha" if has_alpha else "Image"], alpha.inputs["Alpha"])
        count = count_of(len(sequences), "image sequence")
        self.report({"INFO"}, translated("{1} is in the compositor: {2}", version.name, count))
        return {"FINISHED"}


def _latest(clip: bpy.types.MovieClip) -> Path | None:
    folder = matte_folder(clip, summary_of(clip).footage)
    return latest_version(folder) if folder else None


def _tree(scene: bpy.types.Scene) -> bpy.types.NodeTree:
    """Return the scene's compositing nodes, created if there are none; since 5.0 they are a node group."""
    if not hasattr(scene, "compositing_node_group"):
        scene.use_nodes = True
        return scene.node_tree  # type: ignore[attr-defined, no-any-return]
    if scene.compositing_node_group is None:
        scene.compositing_node_group = bpy.data.node_groups.new("Compositing Nodes", "CompositorNodeTree")
    tree: bpy.types.NodeTree = scene.compositing_node_group
    return tree


def _images(version: Path) -> list[Path]:
    """Return the images of a version in reverse order, so that a dict by folder keeps the first of each."""
    return sorted((file for file in version.rglob("*") if file.suffix.lower() in _IMAGES), reverse=True)


def _first_number(clip: bpy.types.MovieClip) -> int:
    """Return the number of the clip's first frame in the names of its mattes, which have the names of its files."""
    footage = summary_of(clip).coordinates.footage
    return 1 if footage.movie else pattern_of(Path(footage.files[0])).number
