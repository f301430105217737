"""Mattes back into Blender: as splines of a Mask, and as nodes of the compositor."""

from pathlib import Path

import bpy
import numpy as np
import pytest
from conftest import part
from PIL import Image, ImageDraw
from test_jobs import COUNT, SIZE, clip  # noqa: F401 (fixture)
from test_prompts import add_mask


@pytest.fixture
def editor(clip, clip_editor):  # noqa: F811
    with clip_editor():
        bpy.context.space_data.clip = clip
    return clip_editor


DRAWN = [(0.3, 0.3), (0.7, 0.35), (0.65, 0.7), (0.35, 0.65)]


@pytest.fixture
def tracked(clip, editor):  # noqa: F811
    """A drawn subject, so that its matte on frames 1 and 3 does not depend on the model."""
    clip.tracking.objects["Camera"].tracks[0].hide = True
    clip.frame_start = 11
    add_mask(clip, editor, "Disc", {11: [DRAWN], 13: [[(x + 0.1, y) for x, y in DRAWN]]})
    bpy.context.scene.frame_set(11)
    assert bpy.ops.splat_matte.track() == {"FINISHED"}
    return clip


def inside(prompt) -> np.ndarray:
    """Return the area that a mask prompt fills, bool (h, w)."""
    image = Image.new("L", SIZE)
    for polygon in prompt.polygons:
        ImageDraw.Draw(image).polygon([(x - 0.5, y - 0.5) for x, y in polygon], fill=255)
    return np.asarray(image) > 0


def test_mattes_become_keyed_splines(tracked, editor) -> None:
    clip = tracked  # noqa: F811
    with editor():
        assert bpy.ops.splat_matte.to_mask(frames="MARKED", points=40) == {"FINISHED"}
        assert bpy.context.space_data.mode == "TRACKING"
        mask = bpy.context.space_data.mask
    assert bpy.context.scene.frame_current == 11
    assert clip.splat_matte.mask != mask, "it must not become a prompt by itself"
    assert [layer.name for layer in mask.layers] == ["Disc"]
    footage = part("clip.footage")
    coordinates = footage.coordinates_of(clip, footage.read_footage(clip)[0])
    read_mask = part("clip.mask").read_mask

    def shapes(which: bpy.types.Mask) -> dict[int, np.ndarray]:
        part("clip.mask_keyframes").forget_shape_keys()
        ignored: list[str] = []
        found = read_mask(which, coordinates, lambda frame: frame - 10, COUNT, ignored)
        assert not ignored
        return {frame: inside(logits) for frame, logits in found["Disc"].items()}

    drawn, made = shapes(clip.splat_matte.mask), shapes(mask)
    assert list(made) == [1, 3]
    for frame, shape in made.items():
        assert (shape & drawn[frame]).sum() / (shape | drawn[frame]).sum() > 0.85


def test_nothing_to_make_splines_of(clip, editor) -> None:  # noqa: F811
    with editor():
        assert not bpy.ops.splat_matte.to_mask.poll()


def test_this_frame_alone_is_keyed(tracked, editor) -> None:
    with editor():
        bpy.ops.splat_matte.to_mask(frames="CURRENT")
        mask = bpy.context.space_data.mask
    (keys,) = part("clip.mask_keyframes").shape_keys_of(mask).values()
    assert [key.frame for key in keys] == [11]


def tree() -> bpy.types.NodeTree:
    scene = bpy.context.scene
    return scene.compositing_node_group if hasattr(scene, "compositing_node_group") else scene.node_tree


@pytest.mark.parametrize(
    ("target", "socket", "name", "offset"),
    [
        ("postshot", "Alpha", "shot.0001.png", 0),
        ("masks", "Image", "shot.0001.png", 0),
        ("t3dgs", "Image", "0.png", -1),  # counted from 0
    ],
)
def test_a_version_becomes_nodes(tracked, editor, target: str, socket: str, name: str, offset: int) -> None:
    assert not bpy.ops.splat_matte.to_compositor.poll()
    tracked.splat_matte.target = target
    assert bpy.ops.splat_matte.export() == {"FINISHED"}
    assert bpy.ops.splat_matte.to_compositor() == {"FINISHED"}
    nodes = {node.bl_idname: node for node in tree().nodes}
    matte, alpha = nodes["CompositorNodeImage"], nodes["CompositorNodeSetAlpha"]
    assert nodes["CompositorNodeMovieClip"].clip == tracked
    assert matte.image.source == "SEQUENCE"
    assert Path(bpy.path.abspath(matte.image.filepath)).name == name
    assert (matte.frame_start, matte.frame_offset, matte.frame_duration) == (11, offset, COUNT)
    (link,) = alpha.inputs["Alpha"].links
    assert (link.from_node, link.from_socket.name) == (matte, socket)
    assert alpha.inputs["Image"].links[0].from_node == nodes["CompositorNodeMovieClip"]


def test_a_version_of_which_the_report_is_damaged(clip, editor) -> None:  # noqa: F811
    (Path(clip.filepath).parent / "shot_matte" / "v001").mkdir(parents=True)
    (Path(clip.filepath).parent / "shot_matte" / "v001" / "shot.0001.png").write_bytes(b"")
    with pytest.raises(RuntimeError, match="export again"):
        bpy.ops.splat_matte.to_compositor()
