"""Repairs in Blender: offered by the real engine, looked at, accepted as mask prompts, undone by taking these away."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from conftest import part
from test_jobs import COUNT, SIZE, clip  # noqa: F401 (fixtures)

WRONG = 3


def put(take: Path, frame: int, lost: bool) -> None:
    """A frame's matte into the store: the disc, or nothing."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]] + 0.5
    inside = np.hypot(x - 36 - 4 * (frame - 1), y - 32) < 16
    logits = np.where(inside & (not lost), 6, -6).astype(np.float16)
    np.savez_compressed(take / "matte" / f"{frame:06d}.npz", logits=logits, iou=0.95, object_score=8.0)


@pytest.fixture
def offered(clip, clip_editor) -> bpy.types.MovieClip:  # noqa: F811
    """A tracked clip whose third matte was lost, and what the engine offers for it."""
    bpy.ops.splat_matte.track()
    take = Path(clip.splat_matte.take_of("Camera"))
    for frame in range(1, COUNT + 1):
        put(take, frame, lost=frame == WRONG)
    (take / "measures.npz").unlink()
    assert bpy.ops.splat_matte.repair() == {"FINISHED"}
    return clip


def test_an_offer_is_accepted_and_goes_with_its_layer(offered, clip_editor) -> None:
    repairs = part("viewer.repairs")
    assert {name: set(found) for name, found in repairs.offers_of(offered).items()} == {"Camera": {WRONG}}
    run = part("tasks.job_run").latest()
    assert part("operators.job_operator").outcome(run) == "1 repair offered"
    assert WRONG in {
        frame for suspect in offered.splat_matte.suspects for frame in range(suspect.first, 1 + suspect.last)
    }
    with clip_editor():
        bpy.context.space_data.clip = offered
        bpy.context.scene.frame_set(1)
        assert bpy.ops.splat_matte.accept_repairs() == {"CANCELLED"}, "nothing is offered on this frame"
        bpy.context.scene.frame_set(WRONG)
        assert bpy.ops.splat_matte.accept_repairs() == {"FINISHED"}
    mask = offered.splat_matte.mask
    assert [layer.name for layer in mask.layers] == ["Camera (repair)"]
    assert not repairs.offers_of(offered), "what is accepted is not offered any more"
    job, _ = part("clip.to_job").make_job(offered, "cpu", False)
    (subject,) = job.objects
    assert [prompt.frame for prompt in subject.prompts] == [1, WRONG]
    outline = np.array(subject.prompts[1].mask.polygons[0])
    middle, radius = (outline.min(0) + outline.max(0)) / 2, np.ptp(outline, axis=0) / 2
    np.testing.assert_allclose([*middle, *radius], [36 + 4 * (WRONG - 1), 32, 16, 16], atol=1.5)
    assert all(entry.name == "Camera" for entry in offered.splat_matte.objects), "a repair is no object of its own"

    mask.layers.remove(mask.layers[0])
    part("settings.mask_changes").masks_changed()
    with clip_editor():
        bpy.context.space_data.clip = offered
        assert bpy.ops.splat_matte.accept_repairs(every=True) == {"FINISHED"}, "it is offered again"
    mask.layers[0].name = "Nobody (repair)"
    part("settings.mask_changes").masks_changed()
    prompts = part("clip.summary").summary_of(offered).prompts
    assert any("repairs an object that is not there" in sentence for sentence in prompts.ignored)
    bpy.ops.splat_matte.track()
    assert not offered.splat_matte.repairs, "what was offered is of mattes that are no more"
