"""Checkpoints are somebody else's data: what is refused, and with which words."""

import dataclasses
import os
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from addon.checkpoints import EMBEDDED_CONFIG, EMBEDDED_WEIGHTS, OFFICIAL, Official
from addon.contract.errors import CheckpointError
from addon.contract.job_types import Model
from addon.engine.sam2 import model


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole, honest checkpoint file."""
    path = tmp_path_factory.mktemp("weights") / "own.pt"
    state = torch.load(EMBEDDED_WEIGHTS, map_location="cpu", weights_only=True)["model"]
    torch.save({"model": {key: value.half() for key, value in state.items()}}, path)
    return path


def of(path: Path, **more: object) -> Model:
    return Model(checkpoint=str(path), config=str(EMBEDDED_CONFIG), **more)  # type: ignore[arg-type]


def refused(choice: Model, *words: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        model.load(model.find(choice))
    for word in words:
        assert word in str(caught.value), f"{caught.value} does not say {word!r}"


def test_own_file_needs_a_hash_or_a_yes(weights: Path) -> None:
    refused(of(weights), "own.pt", "not one of the published", "trust")
    digest = model._hash_file(weights)
    refused(of(weights, sha256="0" * 64), "own.pt", digest)
    assert model.load(model.find(of(weights, sha256=digest))).source.name == "own.pt"
    assert model.load(model.find(of(weights, trust=True))).source.weights == weights
    refused(dataclasses.replace(of(weights, trust=True), config=""), "config")


def test_names() -> None:
    refused(Model(checkpoint="sam9_huge"), "sam9_huge", "sam2.1_hiera_tiny")
    refused(Model(checkpoint="/nowhere/weights.pt"), "/nowhere/weights.pt")


def test_official_checkpoint_missing_or_altered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "checkpoints_folder", lambda: tmp_path)
    refused(Model(checkpoint="sam2.1_hiera_tiny"), "vendor_setup checkpoint sam2.1_hiera_tiny", str(tmp_path))
    (tmp_path / OFFICIAL["sam2.1_hiera_tiny"].file).write_bytes(b"something else")
    refused(Model(checkpoint="sam2.1_hiera_tiny"), OFFICIAL["sam2.1_hiera_tiny"].sha256, "download")


@pytest.mark.parametrize("official", OFFICIAL.values(), ids=OFFICIAL)
def test_every_official_config_builds(official: Official) -> None:
    """Its config is inside the pinned sam2 package, and makes a predictor of the size that was published."""
    config = model._sam2_config(official.config)
    predictor = model._build(config)
    millions = sum(each.numel() for each in predictor.parameters()) / 1e6
    expected = {"tiny": 38.9, "small": 46.0, "base_plus": 80.8, "large": 224.4}
    size = official.name.partition("_hiera_")[2]
    assert millions == pytest.approx(expected[size], abs=0.3)


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (os.environ["EVIL_FOLDER"],)


def test_code_in_a_checkpoint_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "ran"
    monkeypatch.setenv("EVIL_FOLDER", str(folder))
    path = tmp_path / "evil.pt"
    torch.save({"model": Evil()}, path)
    refused(of(path, trust=True), "evil.pt", "more than weights")
    assert not folder.exists()


def test_damaged_and_foreign_files(weights: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.pt"
    short.write_bytes(weights.read_bytes()[:100_000])
    refused(of(short, trust=True), "short.pt", "damaged")
    other = tmp_path / "other.pt"
    torch.save({"state": torch.zeros(3)}, other)
    refused(of(other, trust=True), "other.pt", "no SAM 2 weights")
    misfit = dataclasses.replace(of(weights, trust=True), config="configs/sam2.1/sam2.1_hiera_t.yaml")
    refused(misfit, "own.pt", "do not fit")


def test_a_config_builds_nothing_but_sam2(weights: Path, tmp_path: Path) -> None:
    config = OmegaConf.load(EMBEDDED_CONFIG)
    config.model.memory_encoder.fuser._target_ = "os.system"
    path = tmp_path / "evil.yaml"
    OmegaConf.save(config, path)
    refused(dataclasses.replace(of(weights, trust=True), config=str(path)), "evil.yaml", "os.system")
    path.write_text("model: [not, a, config", encoding="utf-8")
    refused(dataclasses.replace(of(weights, trust=True), config=str(path)), "evil.yaml")
    refused(dataclasses.replace(of(weights, trust=True), config="../../../etc/passwd"), "no such config")


def test_device_and_precision() -> None:
    cpu = torch.device("cpu")
    assert model.choose_precision("bfloat16", cpu) == "bfloat16"
    assert model.choose_precision("auto", torch.device("mps")) == "float32"
    if not torch.cuda.is_available():
        with pytest.raises(CheckpointError, match="no cuda"):
            model.choose_device("cuda")
        assert model.choose_device("auto").type in ("mps", "cpu")
