"""What is exported, as Blender itself reads and composites it; with the real engine."""

from pathlib import Path

import bpy
import numpy as np
import pytest
from conftest import compositor, part
from PIL import Image
from test_jobs import clip  # noqa: F401 (fixtures)

BEHIND = (0.0, 0.25, 1.0)  # linear, unlike anything in the plate


def exported(clip, target: str) -> Path:  # noqa: F811
    """Export the first frame with a drawn disc as its matte, which does not depend on the weights."""
    bpy.ops.splat_matte.track()
    take = Path(clip.splat_matte.take_of("Camera"))
    y, x = np.mgrid[:64, :64] + 0.5
    logits = (14 - np.hypot(x - 24, y - 32)).astype(np.float16)
    for file in (take / "matte").iterdir():
        np.savez_compressed(file, logits=logits, iou=0.95, object_score=8.0)
    clip.splat_matte.target = target
    clip.splat_matte.entry("Camera").finishing.feather = 6.0 if target == "compositing" else 0.0
    assert bpy.ops.splat_matte.export() == {"FINISHED"}
    version = part("results.take_reader").latest_version(Path(clip.filepath).parent / "shot_matte")
    return sorted(version.glob("*.*"))[0]


def values(file: Path) -> np.ndarray:
    """Return the file's own numbers as Blender reads them: (H, W, 4), 0 to 1, row 0 on top."""
    image = bpy.data.images.load(str(file))
    image.colorspace_settings.is_data = True
    image.alpha_mode = "CHANNEL_PACKED"
    width, height = image.size
    return np.array(image.pixels[:], np.float32).reshape(height, width, 4)[::-1]


@pytest.mark.parametrize("target", ["postshot", "compositing"])
def test_blender_reads_every_value(clip, target: str) -> None:  # noqa: F811
    file = exported(clip, target)
    with Image.open(file) as image:
        pillow = np.asarray(image)
    np.testing.assert_array_equal(np.rint(values(file) * 255).astype(np.uint8), pillow)
    with Image.open(clip.filepath) as plate:
        np.testing.assert_array_equal(pillow[..., :3], np.asarray(plate.convert("RGB")))
    assert {0, 255} <= set(np.unique(pillow[..., 3]))
    assert (len(np.unique(pillow[..., 3])) > 2) == (target == "compositing")


@pytest.mark.parametrize("target", ["postshot", "compositing"])
def test_no_fringe_over_a_background(clip, tmp_path: Path, target: str) -> None:  # noqa: F811
    """Over a colour, every pixel is plate and background mixed by alpha in linear light: no dark or doubled edge."""
    file = exported(clip, target)
    with Image.open(file) as image:
        rgba = np.asarray(image) / 255.0
    composited = over_background(file, tmp_path / "composited.png")
    plate = np.where(rgba <= 0.04045, rgba / 12.92, ((rgba + 0.055) / 1.055) ** 2.4)[..., :3]
    alpha = rgba[..., 3:]
    linear = plate * alpha + np.array(BEHIND) * (1 - alpha)
    expected = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(composited - expected).max() < 2.5 / 255


def over_background(file: Path, result: Path) -> np.ndarray:
    """Render the file, as Blender loads it by default, over BEHIND: (H, W, 3), 0 to 1."""
    image = bpy.data.images.load(str(file))
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = image.size
    scene.render.resolution_percentage = 100
    scene.render.dither_intensity = 0
    scene.view_settings.view_transform = "Standard"
    scene.render.image_settings.file_format = "PNG"
    tree, output = compositor(scene)
    front = tree.nodes.new("CompositorNodeImage")
    front.image = image
    over = tree.nodes.new("CompositorNodeAlphaOver")
    colours = [socket for socket in over.inputs if socket.type == "RGBA"]
    colours[0].default_value = (*BEHIND, 1.0)
    tree.links.new(front.outputs["Image"], colours[1])
    tree.links.new(over.outputs[0], output.inputs[0])
    scene.render.filepath = str(result)
    bpy.ops.render.render(write_still=True)
    with Image.open(result) as rendered:
        return np.asarray(rendered.convert("RGB")) / 255.0
