"""A convolutional trunk in Hiera's place: its shapes, its gradients, its weights, and the CPU's faster modules."""

from pathlib import Path

import pytest
import torch

from addon.contract.job import Model
from addon.engine.sam2 import config, model
from addon.engine.sam2.convolutional_trunk import ConvolutionalTrunk
from addon.engine.sam2.cpu.faster_modules import merge_projections, replace_modules

CONFIG = Path(__file__).resolve().parents[2] / "training" / "convolutional.yaml"


def test_levels_have_the_strides_and_channels_that_the_neck_expects() -> None:
    trunk = ConvolutionalTrunk((16, 24, 32, 40), (1, 0, 2, 1)).eval()
    levels = trunk(torch.randn(2, 3, 64, 96))
    assert [tuple(level.shape) for level in levels] == [(2, 16, 16, 24), (2, 24, 8, 12), (2, 32, 4, 6), (2, 40, 2, 3)]
    assert trunk.channel_list == [40, 32, 24, 16]


@pytest.mark.parametrize(("channels", "stages"), [((16, 24, 32), (1, 1, 1)), ((16, 24, 32, 41), (1, 1, 1, 1))])
def test_what_is_no_trunk_is_refused(channels: tuple[int, ...], stages: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"channels|levels"):
        ConvolutionalTrunk(channels, stages)


def test_gradients_reach_every_weight_of_the_trunk() -> None:
    trunk = ConvolutionalTrunk((8, 8, 16, 16), (1, 1, 1, 1))
    for block in trunk.modules():  # with fresh weights a block adds nothing, so its first convolution has no gradient
        if isinstance(block, torch.nn.Conv2d):
            torch.nn.init.normal_(block.weight, std=0.1)
    sum(level.square().sum() + level.sum() for level in trunk(torch.randn(1, 3, 64, 64))).backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in trunk.parameters())


def test_the_faster_modules_give_what_sam2s_own_give_with_it() -> None:
    torch.manual_seed(0)
    predictor = config.build(CONFIG).eval()
    frame = torch.randn(1, 3, predictor.image_size, predictor.image_size)
    with torch.inference_mode():
        before = predictor.forward_image(frame)["backbone_fpn"]
        replace_modules(predictor)
        merge_projections(predictor)
        after = predictor.forward_image(frame)["backbone_fpn"]
        again = predictor.forward_image(frame)["backbone_fpn"]
    for one, other in zip(before, after, strict=True):
        assert (one - other).norm() < 1e-4 * one.norm()
    for one, other in zip(after, again, strict=True):
        assert torch.equal(one, other)


def test_weights_of_it_are_loaded_through_a_job(tmp_path: Path) -> None:
    torch.manual_seed(0)
    fresh = config.build(CONFIG)
    torch.save({"model": {name: value.half() for name, value in fresh.state_dict().items()}}, tmp_path / "w.pt")
    assert (tmp_path / "w.pt").stat().st_size < 20_000_000
    choice = Model(str(tmp_path / "w.pt"), str(CONFIG), trust=True, device="cpu", precision="float32")
    loaded = model.load(model.find(choice))
    assert isinstance(loaded.predictor.image_encoder.trunk, ConvolutionalTrunk)
    kept = loaded.predictor.image_encoder.trunk.stem.weight
    assert torch.equal(kept, fresh.image_encoder.trunk.stem.weight.half().float())
