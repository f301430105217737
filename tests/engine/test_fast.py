"""The modules that replace sam2's on a CPU give what sam2's own give."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from sam2.modeling.backbones.hieradet import MultiScaleAttention, MultiScaleBlock
from sam2.modeling.sam.transformer import RoPEAttention
from torch import Tensor, nn

from addon.checkpoints import EMBEDDED_CONFIG
from addon.engine.sam2 import model
from addon.engine.sam2.cpu import image_encoder
from addon.engine.sam2.cpu.attention import attend
from addon.engine.sam2.cpu.faster_modules import merge_projections, replace_modules

SIDE = 16  # positions of a frame: SIDE^2
POINTERS = 8


def both(module: nn.Module, run: Callable[[nn.Module], Tensor], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return the results of `run` with sam2's module in float32, and with ours in `dtype`."""
    module.eval()
    with torch.inference_mode():
        theirs = run(module)
        replace_modules(module)
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            return theirs, run(module).float()


def error(expected: Tensor, found: Tensor) -> float:
    return ((found - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize(("dtype", "allowed"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
@pytest.mark.parametrize("to_memory", [True, False])
def test_attention_with_positions(to_memory: bool, dtype: torch.dtype, allowed: float) -> None:
    torch.manual_seed(0)
    channels = 64 if to_memory else 256
    module = RoPEAttention(
        256, 1, rope_k_repeat=True, feat_sizes=(64, 64), kv_in_dim=channels
    )  # made for 64 x 64, used at 16 x 16
    q = torch.randn(2, SIDE**2, 256)
    k = torch.randn(2, 7 * SIDE**2 + POINTERS if to_memory else SIDE**2, channels)
    v = torch.randn_like(k)
    module.q_proj.weight.data *= 8  # weights that differ, as trained ones do
    exclude = POINTERS if to_memory else 0
    theirs, ours = both(module, lambda it: it(q, k, v, exclude), dtype)
    assert error(theirs, ours) < allowed


@pytest.mark.parametrize(("dtype", "allowed"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_attention_over_a_whole_frame(dtype: torch.dtype, allowed: float) -> None:
    torch.manual_seed(0)
    module = MultiScaleAttention(96, 96, 4)
    x = torch.randn(2, 40, 32, 96)
    theirs, ours = both(module, lambda it: it(x), dtype)
    assert error(theirs, ours) < allowed


@pytest.mark.parametrize(("dtype", "allowed"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
@pytest.mark.parametrize("pooled", [False, True])
def test_attention_in_windows(pooled: bool, dtype: torch.dtype, allowed: float) -> None:
    torch.manual_seed(0)
    module = MultiScaleAttention(96, 192, 2, nn.MaxPool2d(2, 2) if pooled else None)
    x = torch.randn(9, 8, 6, 96)
    theirs, ours = both(module, lambda it: it(x), dtype)
    assert theirs.shape == (9, 4, 3, 192) if pooled else (9, 8, 6, 192)
    assert error(theirs, ours) < allowed


@pytest.mark.parametrize(("stride", "window", "height"), [(None, 8, 128), ((2, 2), 8, 128), (None, 14, 130)])
def test_strips_of_windows_give_what_the_whole_map_gives(
    stride: tuple[int, int] | None, window: int, height: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In several strips, of which the last is shorter and, at times, filled up to a window."""
    torch.manual_seed(0)
    block = MultiScaleBlock(32, 64 if stride else 32, 2, q_stride=stride, window_size=window).eval()
    replace_modules(block)
    x = torch.randn(1, height, 100, 32)
    with torch.inference_mode():
        monkeypatch.setattr(image_encoder, "_STRIP", 10**9)
        whole = block(x)
        monkeypatch.setattr(image_encoder, "_STRIP", 3000)
        strips = block(x)
    assert error(whole, strips) < 1e-6


@pytest.mark.parametrize(("dtype", "allowed"), [(torch.float32, 1e-5), (torch.bfloat16, 3e-2)])
def test_the_image_encoder(dtype: torch.dtype, allowed: float) -> None:
    """Run twice: what is kept from the first frame must be right for the second."""
    torch.manual_seed(0)
    predictor = model.build(EMBEDDED_CONFIG)
    frames = torch.randn(2, 1, 3, predictor.image_size, predictor.image_size)

    def encoded(predictor: nn.Module) -> Tensor:
        found = [predictor.forward_image(frame) for frame in frames]
        return torch.cat([m.flatten() for output in found for m in output["backbone_fpn"] + output["vision_pos_enc"]])

    theirs, ours = both(predictor, encoded, dtype)
    assert error(theirs, ours) < allowed


@pytest.mark.parametrize("top_down", [False, True])
def test_merged_projections_give_what_two_give(top_down: bool) -> None:
    """Where level 1 is added to level 0, the neck's own results are needed, and stay."""
    torch.manual_seed(0)
    predictor = model.build(EMBEDDED_CONFIG).eval()
    predictor.image_encoder.neck.fpn_top_down_levels = [0, 2, 3] if top_down else [2, 3]
    frame = torch.randn(1, 3, predictor.image_size, predictor.image_size)
    with torch.inference_mode():
        before = predictor.forward_image(frame)["backbone_fpn"]
        merge_projections(predictor)
        after = predictor.forward_image(frame)["backbone_fpn"]
    assert [error(a, b) < 1e-5 for a, b in zip(before, after, strict=True)] == [True] * 3
    kept = predictor.sam_mask_decoder.conv_s0, predictor.sam_mask_decoder.conv_s1
    assert [isinstance(module, nn.Identity) for module in kept] == [not top_down] * 2


def test_attention_to_scores_far_above_the_sampled_ones() -> None:
    """One key that is not among the sampled ones gets all attention; 2^1000 would not fit into any float."""
    keys = torch.zeros(5000, 4)
    keys[4321] = 100.0
    queries = torch.full((600, 4), 2.5)
    values = torch.arange(5000.0)[:, None].repeat(1, 3)
    found = attend(queries, keys, values)
    assert torch.equal(found, torch.full((600, 3), 4321.0))


def test_bfloat16_on_a_cpu_without_avx_512() -> None:
    """oneDNN has no bfloat16 products there: the tests of this file hold by torch's public functions, too."""
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    asked = "import torch\nfrom addon.engine.sam2.cpu.linear import can_fuse\nprint(can_fuse(torch.bfloat16))"
    root = Path(__file__).resolve().parents[2]
    answer = subprocess.run(
        [sys.executable, "-c", asked], cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == ["False"]
    command = [sys.executable, "-m", "pytest", "-q", __file__, "-k", "dtype1"]
    tests = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert tests.returncode == 0, tests.stdout
    assert "6 passed" in tests.stdout
