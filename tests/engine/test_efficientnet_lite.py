"""EfficientNet-Lite0 in Hiera's place: its shapes, its gradients, its weights, and the CPU's faster modules."""

from pathlib import Path

import pytest
import torch

from addon.contract.job import Model
from addon.engine.sam2 import config, model
from addon.engine.sam2.cpu.faster_modules import merge_projections, replace_modules
from addon.engine.sam2.efficientnet_lite import EfficientNetLite0
from training.network import CONFIG, build
from training.pretrained import begin, pretrained
from training.train import Settings, _begin


def published(trunk: EfficientNetLite0) -> dict[str, torch.Tensor]:
    """Weights as the package has them, with batch norms that do something, for a trunk of the same shapes."""
    found: dict[str, torch.Tensor] = {}

    def add(convolution: str, norm: str, weight: torch.Tensor) -> None:
        found[f"{convolution}.weight"] = 0.3 * torch.randn(weight.shape)
        found[f"{norm}.weight"], found[f"{norm}.bias"] = torch.rand(len(weight)) + 0.5, torch.randn(len(weight))
        found[f"{norm}.running_mean"], found[f"{norm}.running_var"] = (
            torch.randn(len(weight)),
            torch.rand(len(weight)) + 0.5,
        )

    add("_conv_stem", "_bn0", trunk.stem.weight)
    for i, block in enumerate(block for stage in trunk.stages for block in stage):  # type: ignore[attr-defined]
        if block.expand is not None:
            add(f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0", block.expand.weight)
        add(f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1", block.depthwise.weight)
        add(f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2", block.project.weight)
    return found


def test_levels_have_the_strides_and_channels_that_the_neck_expects() -> None:
    trunk = EfficientNetLite0().eval()
    levels = trunk(torch.randn(2, 3, 64, 96))
    assert [tuple(level.shape) for level in levels] == [(2, 24, 16, 24), (2, 40, 8, 12), (2, 112, 4, 6), (2, 320, 2, 3)]
    assert trunk.channel_list == [320, 112, 40, 24]


def test_published_weights_mean_the_same_on_sam2s_input() -> None:
    """The stem and its batch norm, as published, on (255 rgb - 127) / 128; ours on (rgb - mean) / std."""
    torch.manual_seed(0)
    trunk = EfficientNetLite0().eval()
    weights = published(trunk)
    trunk.load_state_dict(pretrained(weights))
    rgb = torch.rand(1, 3, 32, 32)
    mean, std = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    around = torch.nn.functional.pad((rgb - mean) / std, (1, 1, 1, 1)) * std + mean
    convolved = torch.nn.functional.conv2d((255 * around - 127) / 128, weights["_conv_stem.weight"], stride=2)
    statistics = weights["_bn0.running_mean"], weights["_bn0.running_var"]
    right = torch.nn.functional.batch_norm(
        convolved, *statistics, weights["_bn0.weight"], weights["_bn0.bias"], eps=1e-3
    )
    torch.testing.assert_close(trunk.stem((rgb - mean) / std), right, atol=1e-4, rtol=1e-4)


def test_weights_of_another_network_are_refused() -> None:
    weights = published(EfficientNetLite0())
    del weights["_blocks.7._bn1.weight"]
    with pytest.raises(KeyError, match=r"_blocks\.7\._bn1"):
        pretrained(weights)


def test_a_training_begins_with_the_published_trunk(tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights = published(EfficientNetLite0())
    torch.save(weights, tmp_path / "published.pth")
    begin(tmp_path / "published.pth", tmp_path / "start.pt")
    saved, text = _begin(Settings(1, tmp_path, tmp_path, start=tmp_path / "start.pt"))
    network = build(text)
    network.load_state_dict(saved["model"])
    for name, value in pretrained(weights).items():
        assert torch.equal(network.image_encoder.trunk.state_dict()[name], value)


def test_gradients_reach_every_weight_of_the_trunk() -> None:
    torch.manual_seed(0)
    trunk = EfficientNetLite0()
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
    assert isinstance(loaded.predictor.image_encoder.trunk, EfficientNetLite0)
    kept = loaded.predictor.image_encoder.trunk.stem.weight
    assert torch.equal(kept, fresh.image_encoder.trunk.stem.weight.half().float())
