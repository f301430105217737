"""Static masks: drawn as a Mask or found by the real engine, they are in the Job and in no export."""

from pathlib import Path

import bpy
import numpy as np
import pytest
from conftest import part
from PIL import Image

SIZE = (96, 64)
COUNT = 10


@pytest.fixture
def clip(tmp_path: Path) -> bpy.types.MovieClip:
    """A pan over spots, with the leg of a tripod in front of it, marked on its first frame."""
    folder = tmp_path / "pan"
    folder.mkdir()
    random = np.random.default_rng(5)
    spots = Image.fromarray(random.integers(0, 255, (16, 100), np.uint8))
    wall = spots.resize((400, SIZE[1]), Image.Resampling.BICUBIC)
    leg = Image.fromarray(random.integers(0, 60, (SIZE[1], 20), np.uint8))
    for frame in range(1, COUNT + 1):
        picture = wall.crop((23 * frame, 0, 23 * frame + SIZE[0], SIZE[1]))
        picture.paste(leg, (40, 0))
        picture.convert("RGB").save(folder / f"pan.{frame:04d}.png")
    clip = bpy.data.movieclips.load(str(folder / "pan.0001.png"))
    clip.use_fake_user = True
    bpy.context.scene.active_clip = clip
    clip.tracking.objects["Camera"].tracks.new(name="Track", frame=1).markers.insert_frame(1, co=(0.5, 0.5))
    return clip


def test_what_is_found_is_in_no_export(clip) -> None:
    assert bpy.ops.splat_matte.find_static() == {"FINISHED"}
    found = Path(bpy.path.abspath(clip.splat_matte.static_file))
    assert found == Path(clip.filepath).parent / "pan_matte" / "static.png"
    with Image.open(found) as image:
        mask = np.asarray(image) > 0
    assert mask[:, 42:58].mean() > 0.95 and mask[:, :34].mean() < 0.05 and mask[:, 66:].mean() < 0.05
    clip.splat_matte.target = "masks"
    clip.splat_matte.use_range, clip.splat_matte.range_end = True, 1
    assert bpy.ops.splat_matte.export() == {"FINISHED"}
    for file in (Path(clip.filepath).parent / "pan_matte" / "v001").glob("*.png"):
        with Image.open(file) as image:
            assert not np.asarray(image)[mask].any()


def test_what_is_found_is_shown(clip) -> None:
    """A found mask is shown even on frames without a matte; for other frames and masks a new request is sent."""
    finished, sources = part("viewer.finished_mattes"), part("viewer.sources").sources_of(clip, 2)
    assert bpy.ops.splat_matte.find_static() == {"FINISHED"} and not sources
    assert finished.finished_of(clip, 2, sources) is None, "not there yet"
    for _ in finished.request(clip, 2):
        pass
    assert finished.collect()
    shown = finished.finished_of(clip, 2, sources).alpha
    with Image.open(bpy.path.abspath(clip.splat_matte.static_file)) as image:
        assert list(shown) == [part("contract.layout").STATIC_AREA]
        np.testing.assert_array_equal(shown[""], np.asarray(image))
    assert finished.finished_of(clip, 3, sources) is None
    clip.splat_matte.static_file = ""
    assert finished.finished_of(clip, 2, sources) is None


def test_what_is_drawn_is_in_the_job(clip) -> None:
    mask = bpy.data.masks.new("Rig")
    spline = mask.layers.new(name="Leg").splines.new()
    spline.points.add(3)
    for point, co in zip(spline.points, ((0.4, 0.2), (0.6, 0.2), (0.6, 0.8), (0.4, 0.8)), strict=True):
        point.co = point.handle_left = point.handle_right = co
    spline.use_cyclic = True
    clip.splat_matte.static_mask = mask
    job, _ = part("clip.to_job").make_job(clip, "cpu", export=True)
    (static,) = job.static_masks
    (polygon,) = static.mask.polygons
    across = [round(x / SIZE[0], 2) for x, _ in polygon]
    assert (min(across), max(across)) == (0.4, 0.6)
    mask.layers["Leg"].invert = True
    job, _ = part("clip.to_job").make_job(clip, "cpu", export=True)
    assert len(job.static_masks[0].mask.polygons) == 2 and job.static_masks[0].mask.holes
    clip.splat_matte.static_mask = None
    job, _ = part("clip.to_job").make_job(clip, "cpu", export=True)
    assert job.static_masks == ()
