"""Training the embedded network: it runs, goes on where it was stopped, and gives weights that the engine takes."""

import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from addon.engine.sam2 import config
from training.clips import Clip, rendered
from training.composites import Composer
from training.network import CONFIG, WEIGHTS, build, decode, encode, keep_first_stages, set_size, without_memory
from training.optimiser import Optimiser, schedule
from training.peers import Peers
from training.precision import _Fast
from training.samples import REAL_ID, Sampler
from training.start import place_aware
from training.steps import _standing, clip_step
from training.train import Run, Settings, _begin, export
from training.windows import window_step

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a very short training of two processes, on composites alone: a step, and what is measured."""
    folder = tmp_path_factory.mktemp("training")
    _train(folder, "--scratch")
    return folder


def _start(folder: Path, *how: str) -> subprocess.Popen[str]:
    where = ["--state", str(folder), "--clips", str(folder / "none"), "--resume"]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "training", "train", *where, *how],
        env={**os.environ, "PYTHONPATH": str(ROOT), "SPLAT_MATTE_DAVIS": str(folder / "none")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )


def _train(folder: Path, *how: str) -> None:
    with _start(folder, "--minutes", "0.01", "--processes", "2", *how) as process:
        process.communicate(timeout=600)
    assert process.returncode == 0


def _saved(state: Path, name: str = "resume.pt") -> dict:
    return torch.load(state / name, weights_only=True)


def test_two_processes_train_one_network_and_resume(state: Path) -> None:
    first = _saved(state)
    _train(state)  # the config is that of the state
    second = _saved(state)
    assert second["config"] == CONFIG.read_text()
    assert second["steps"] > first["steps"] >= 1
    changed = [key for key, value in second["model"].items() if not torch.equal(value, first["model"][key])]
    assert any("sam_mask_decoder" in key for key in changed)
    assert any("image_encoder" in key for key in changed)
    assert not any("memory_attention" in key for key in changed)  # of which single frames say nothing
    assert all(torch.isfinite(value).all() for value in second["model"].values() if value.is_floating_point())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGTERM that a process could answer")
def test_a_training_that_is_told_to_end_keeps_what_it_has(state: Path) -> None:
    before = _saved(state)["steps"]
    with _start(state, "--minutes", "60", "--processes", "1") as process:
        assert process.stdout
        for line in process.stdout:
            if "stage frames:" in line:  # the stage has begun; a line before says that the state was read
                process.send_signal(signal.SIGTERM)
                break
        process.communicate(timeout=600)
    assert process.returncode == 0
    assert before < _saved(state)["steps"] < before + 20


def test_a_decay_makes_an_average_and_leaves_what_is_gone_on_with(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, average = (state / "resume.pt").read_bytes(), _saved(state, "average.pt")
    monkeypatch.setenv("SPLAT_MATTE_DAVIS", str(state / "none"))
    settings = Settings(minutes=0.01, clips=state / "none", state=state, resume=True, decay=True)
    Run(settings, Peers(0, 1, "")).run()
    assert (state / "resume.pt").read_bytes() == before
    after = _saved(state, "average.pt")
    assert after["config"] == average["config"]
    assert any(not torch.equal(value, average["model"][key]) for key, value in after["model"].items())


def test_another_network_than_that_of_the_state_is_refused(state: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(CONFIG.read_text().replace("num_layers: 2", "num_layers: 3"))
    settings = Settings(minutes=1, clips=state, state=state, config=other, resume=True)
    with pytest.raises(ValueError, match=r"resume\.pt has another network than .*other\.yaml"):
        _begin(settings)
    settings.resume = False
    assert _begin(settings) == ({}, other.read_text())  # the shipped weights are not of this network
    settings.start = state / "average.pt"
    with pytest.raises(ValueError, match=r"average\.pt has another network"):
        _begin(settings)
    settings.config = None
    assert _begin(settings)[1] == CONFIG.read_text()


def test_the_rate_is_constant_until_a_decay_takes_it_to_nothing() -> None:
    assert [schedule(step) for step in (29, 59, 60, 10**6)] == [0.5, 1, 1, 1]
    falling = [schedule(10**6, passed) for passed in (0, 0.25, 0.5, 0.75, 1)]
    assert falling[1] == 0.5 and falling == sorted(falling, reverse=True) and falling[-1] == 0


def test_export_is_small_and_fits_the_network_of_the_config_beside_it(state: Path, tmp_path: Path) -> None:
    target = tmp_path / "embedded.pt"
    export([state / "average.pt"], target)
    assert target.stat().st_size <= 20_000_000
    weights = torch.load(target, weights_only=True)["model"]
    assert {value.dtype for value in weights.values() if value.is_floating_point()} == {torch.float16}
    config.build(tmp_path / "embedded.yaml").load_state_dict(weights)  # as the engine builds it


def test_weights_of_two_networks_have_no_mean(tmp_path: Path) -> None:
    for name, text in (("a", CONFIG.read_text()), ("b", CONFIG.read_text().replace("num_layers: 2", "num_layers: 3"))):
        torch.save({"model": {}, "config": text}, tmp_path / name)
    with pytest.raises(ValueError, match="different networks can't be averaged"):
        export([tmp_path / "a", tmp_path / "b"], tmp_path / "embedded.pt")
    assert not (tmp_path / "embedded.pt").exists()


def test_export_of_several_is_their_mean(tmp_path: Path) -> None:
    first, second = build().state_dict(), build().state_dict()
    for name, state in (("a", first), ("b", second)):
        torch.save({"model": state, "config": CONFIG.read_text()}, tmp_path / name)
    export([tmp_path / "a", tmp_path / "b"], tmp_path / "embedded.pt")
    weights = torch.load(tmp_path / "embedded.pt", weights_only=True)["model"]
    for key in ("no_mem_embed", "memory_encoder.out_proj.weight"):
        assert not torch.equal(first[key], second[key])
        assert torch.equal(weights[key], ((first[key] + second[key]) / 2).half())


def test_the_shipped_weights_have_a_mean_with_their_further_training(state: Path, tmp_path: Path) -> None:
    export([WEIGHTS, state / "average.pt"], tmp_path / "embedded.pt")
    first, second, mean = (
        torch.load(path, weights_only=True)["model"]["no_mem_embed"].float()
        for path in (WEIGHTS, state / "average.pt", tmp_path / "embedded.pt")
    )
    torch.testing.assert_close(mean, (first + second) / 2, rtol=1e-2, atol=1e-3)


def test_a_shot_without_a_subject_is_left_out(tmp_path: Path) -> None:
    for name, number in (("00001", 0), ("00002", 1)):
        for folder, image in (("rgb", "1.jpg"), ("id", "1.png")):
            (tmp_path / name / folder).mkdir(parents=True)
            Image.new("L", (16, 9), number).save(tmp_path / name / folder / image)
    known: set[str] = set()
    assert [clip.name for clip in rendered(tmp_path, known)] == ["00002"]
    assert rendered(tmp_path, known) == []


def test_steeper_candidates_keep_their_outlines_and_the_single_mask(tmp_path: Path) -> None:
    torch.manual_seed(2)
    network = build().eval()
    torch.save({"model": network.state_dict(), "config": CONFIG.read_text()}, tmp_path / "a")
    export([tmp_path / "a"], tmp_path / "one.pt")
    export([tmp_path / "a"], tmp_path / "four.pt", 4.0)
    set_size(network, 128)
    image, point = torch.randn(1, 3, 128, 128), torch.tensor([[[40.0, 50.0]]])
    answers = []
    for name in ("one.pt", "four.pt"):
        network.load_state_dict(torch.load(tmp_path / name, weights_only=True)["model"])
        with torch.no_grad():
            features = encode(network, image)
            top = without_memory(network, features)
            answers.append(decode(network, features, top, point, torch.ones((1, 1), dtype=torch.int32), None))
    one, four = answers
    torch.testing.assert_close(four.logits[:, 0], one.logits[:, 0])
    torch.testing.assert_close(four.logits[:, 1:], 4 * one.logits[:, 1:])
    torch.testing.assert_close(four.ious, one.ious)


def test_windows_along_an_edge_teach_what_reads_a_coarse_matte() -> None:
    rng = np.random.default_rng(3)
    batch = Sampler(rng, 128, [], [], (1, 0, 0)).windows(3)
    assert batch.images.shape == (3, 1, 3, 128, 128)
    assert all(0 < mask.mean() < 1 for mask in batch.masks), "an edge is in each"
    network = build()
    place_aware(network)
    set_size(network, 128)
    total, iou = window_step(network, batch, rng, torch.device("cpu"))
    total.backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(total)
    assert 0 <= iou <= 1
    reads = next(network.sam_prompt_encoder.mask_downscaling.parameters())
    assert reads.grad is not None
    assert reads.grad.abs().sum() > 0


def test_a_clip_teaches_the_memory_and_what_was_hidden_stands_for_more_frames() -> None:
    rng = np.random.default_rng(3)
    batch = Sampler(rng, 128, [], [], (1, 0, 0)).batch(1, 5, 1)
    batch.masks[:, 3] = False
    found = {_standing(rng, batch.masks, -1) for _ in range(200)}
    assert {at for at, _ in found} == {0, 3}
    assert {count for at, count in found if at == 3} == {2, 3, 4, 5, 6}
    assert {count for at, count in found if at == 0} == {1}
    network = build()
    place_aware(network)
    set_size(network, 128)
    total, quality = clip_step(network, batch, rng, torch.device("cpu"))
    total.backward()
    assert torch.isfinite(total) and 0 <= quality <= 1
    for part in ("memory_attention", "memory_encoder", "obj_ptr_proj", "sam_mask_decoder.pred_obj_score_head"):
        gradients = [p.grad for name, p in network.named_parameters() if name.startswith(part)]
        assert any(g is not None and g.abs().max() > 0 for g in gradients), part
    assert network.no_obj_ptr.grad is not None and network.no_obj_ptr.grad.abs().max() > 0


def test_attention_by_products_is_torchs_own_and_so_is_its_gradient() -> None:
    torch.manual_seed(2)
    shapes = ((2, 3, 40, 16), (2, 3, 70, 16), (2, 3, 70, 16))
    given = [torch.randn(shape, requires_grad=True) for shape in shapes]
    results = []
    for mode in (nullcontext(), _Fast()):
        with mode:
            attended = torch.nn.functional.scaled_dot_product_attention(*given).float()
        gradients = torch.autograd.grad((attended * torch.linspace(-1, 1, 16)).sum(), given)
        results.append((attended, *gradients))
    for expected, found in zip(*results, strict=True):
        assert (expected - found).norm() < 0.02 * expected.norm()  # bfloat16 keeps 8 bits


def test_depthwise_convolutions_learn_in_float32_and_all_others_in_bfloat16() -> None:
    torch.manual_seed(3)
    picture = torch.randn(1, 8, 12, 12)
    depthwise, full = torch.nn.Conv2d(8, 8, 3, groups=8), torch.nn.Conv2d(8, 8, 1)
    with torch.autocast("cpu", torch.bfloat16), _Fast():
        found, other = depthwise(picture.bfloat16()), full(picture)
        fixed = depthwise.requires_grad_(False)(picture)
    assert (found.dtype, other.dtype, fixed.dtype) == (torch.float32, torch.bfloat16, torch.bfloat16)
    assert torch.equal(found, depthwise(picture.bfloat16().float()))


def test_the_first_stages_of_a_pretrained_trunk_stay_and_all_after_them_learn() -> None:
    network = build(CONFIG.read_text())
    keep_first_stages(network)
    optimiser = Optimiser(network, Peers(0, 1, ""), 1e-3)
    set_size(network, 64)
    trunk = network.image_encoder.trunk
    before = {name: value.clone() for name, value in trunk.named_parameters()}
    sum(level.square().mean() for level in trunk(torch.randn(1, 3, 64, 64))).backward()
    optimiser.step(1.0)
    stayed = {name for name, value in trunk.named_parameters() if torch.equal(value, before[name])}
    assert stayed == {name for name in before if name.startswith(("stem.", "stages.0.", "stages.1."))}


def test_repainting_changes_colours_and_no_edge() -> None:
    """Within an object light and shade stay: what was grey and darker is darker."""
    shade = np.linspace(60, 200, 64).astype(np.uint8)
    picture = np.broadcast_to(shade[None, :, None], (64, 64, 3)).copy()
    ids = np.zeros((64, 64), np.uint8)
    ids[20:40, 10:50] = 1
    sampler = Sampler(np.random.default_rng(5), 64, [], [], (1, 0, 0))
    (painted,) = sampler._repaint([picture], [ids])
    assert (painted != picture).any()
    for number in (0, 1):
        row = np.nonzero((ids == number).any(1))[0][0]
        values = painted[row, ids[row] == number].astype(int)
        assert (np.diff(values, axis=0) >= 0).all()
    clip = Clip("0", [picture] * 4, [ids] * 4)
    batch = Sampler(np.random.default_rng(4), 64, [clip], [], (0, 1, 0)).batch(2, 2, 1)
    assert batch.masks.shape == (2, 2, 64, 64)


def test_a_shots_things_are_pasted_before_a_photograph_by_their_exact_ids() -> None:
    red, green, blue = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
    shot = Clip("0", [], [])
    for shift in range(3):
        ids = np.zeros((36, 64), np.uint8)
        ids[10:20, 10 + shift : 30 + shift] = 1
        shot.ids.append(ids)
        shot.pictures.append(np.where(ids[..., None] == 1, red, green).astype(np.uint8))
    real = np.zeros((72, 128), np.uint8)
    real[30:60, 40:120] = 1
    photograph = Clip("photograph", [np.full((72, 128, 3), blue, np.uint8)] * 3, [real] * 3)
    sampler = Sampler(np.random.default_rng(2), 64, [shot], [photograph], (0, 1, 0))
    pictures, numbers = sampler._paste(shot.pictures, shot.ids)
    for t, (picture, ids) in enumerate(zip(pictures, numbers, strict=True)):
        assert ((ids == 1) == (shot.ids[t] == 1)).all()
        assert (ids[16:29, 21:34] == np.where(shot.ids[t][16:29, 21:34], 1, REAL_ID)).all()
        assert picture[..., 1].max() < 140, "of its room only what a smooth edge takes"
        assert (picture[11:19, 14:28] == red).all()
        assert (picture[30:] == blue).all()


def test_a_still_drifts_a_little_with_its_ids() -> None:
    """What is painted where the ids are stays there; from frame to frame most of it overlaps."""
    ids = np.zeros((128, 128), np.uint8)
    ids[30:90, 40:80] = 1
    picture = np.repeat(200 * ids[..., None], 3, 2)
    moved = 0
    for seed in range(10):
        sampler = Sampler(np.random.default_rng(seed), 128, [], [], (1, 0, 0))
        pictures, numbers = sampler._drift(picture, ids, 4)
        assert (pictures[0] == picture).all()
        assert (numbers[0] == ids).all()
        for before, one, theirs in zip(numbers, pictures[1:], numbers[1:], strict=False):
            assert ((one[..., 0] > 100) == (theirs == 1)).mean() > 0.99
            assert (theirs & before).sum() > 0.6 * (theirs | before).sum()
            moved += int((theirs != before).any())
    assert moved == 30


def test_half_of_the_shots_drawn_are_thin_where_few_are() -> None:
    disc, bars = np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8)
    disc[16:48, 16:48] = 1
    bars[4:60, 4:60:8] = 1
    shots = [Clip(str(i), [np.full((64, 64, 3), 30, np.uint8)] * 2, [disc] * 2) for i in range(9)]
    shots.append(Clip("9", [np.full((64, 64, 3), 220, np.uint8)] * 2, [bars] * 2))
    assert [shot.thin for shot in shots] == [False] * 9 + [True]
    sampler = Sampler(np.random.default_rng(3), 64, shots, [], (0, 1, 0))
    masks = sampler.batch(80, 1, 1).masks[:, 0]
    thin = np.mean([np.diff(mask.astype(int), axis=1).any(0).sum() > 6 for mask in masks])
    assert 0.4 < thin < 0.75


def test_what_passes_in_front_hides_a_thing_that_is_seen_before_and_after() -> None:
    """Where it is drawn nothing can be asked for; elsewhere pictures and ids are what they were."""
    picture = np.full((128, 128, 3), 90, np.uint8)
    picture[50:70, 50:70] = 200
    ids = np.zeros((128, 128), np.uint8)
    ids[50:70, 50:70] = 1
    composer, hidden_and_back = Composer(np.random.default_rng(1), 128, textures=4), 0
    for seed in range(20):
        pictures, numbers = [picture.copy() for _ in range(6)], [ids.copy() for _ in range(6)]
        composer.cover(np.random.default_rng(seed), pictures, numbers)
        seen = [int((n == 1).sum()) for n in numbers]
        assert min(seen[1:-1]) < 400
        hidden_and_back += seen[0] == seen[-1] == 400 and min(seen) == 0
        for one, theirs in zip(pictures, numbers, strict=True):
            untouched = (one == picture).all(-1)
            assert (theirs[untouched] == ids[untouched]).mean() > 0.999  # it may have the picture's own colour
            assert not theirs[ids == 0].any()
    assert hidden_and_back >= 5


def test_a_lost_subject_is_seen_again_as_often_as_not_and_anywhere() -> None:
    """Neither the frame before nor the place says whether it is there."""
    picture = np.full((128, 128, 3), 90, np.uint8)
    ids = np.zeros((128, 128), np.uint8)
    ids[40:70, 50:80] = 1
    sampler = Sampler(np.random.default_rng(3), 128, [Clip("0", [picture] * 3, [ids] * 3)], [], (0, 1, 0))
    batch = sampler.batch(120, 3, 1, lost=True)
    seen = batch.masks.any((2, 3))
    assert seen[:, 0].all()
    assert 0.6 < (~seen[:, 1]).mean() < 0.9
    assert 0.4 < seen[~seen[:, 1], 2].mean() < 0.8
    both = seen[:, 2]
    assert 0.2 < (batch.masks[both, 0] != batch.masks[both, 2]).any((1, 2)).mean() < 0.8
