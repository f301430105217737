"""Checkpoints are somebody else's data: what is refused, and with which words."""

import dataclasses
import itertools
import os
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml

from addon.checkpoints import EMBEDDED_CONFIG, EMBEDDED_WEIGHTS, OFFICIAL, Official
from addon.contract.errors import CheckpointError
from addon.contract.job import Job
from addon.contract.job_types import MatteObject, Model, Point, Prompt
from addon.engine import self_test as testing
from addon.engine.sam2 import model
from addon.engine.sam2.config import build
from addon.engine.sam2.placement import Only
from addon.engine.self_test import self_test
from addon.engine.session import Session
from addon.runtime.locate import GPU_CHOICE
from addon.runtime.measured import Gpu, Measured


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
    predictor = model.build(config)
    millions = sum(parameter.numel() for parameter in predictor.parameters()) / 1e6
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


def own_config(path: Path, **changes: object) -> Path:
    """The embedded config with `changes` of its model, by dotted path."""
    data = yaml.safe_load(EMBEDDED_CONFIG.read_text(encoding="utf-8"))
    for place, value in changes.items():
        node = data["model"]
        *parents, last = place.split("__")
        for key in parents:
            node = node[key]
        node[last] = value
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return path


# each of these ran, or was called, before any weight was read
CODE = [
    {"_target_": "os.system", "command": "touch ran"},
    {"_target_": "sam2.modeling.position_encoding.np.testing.measure", "code_str": "open('ran', 'w')"},
    {"_target_": "sam2.modeling.sam2_base.torch.hub.load", "repo_or_dir": ".", "source": "local", "model": "m"},
    {"_target_": "sam2.modeling.sam2_base.torch.load", "f": "evil.pt", "weights_only": False},
    {"_target_": "sam2.modeling.position_encoding.np.load", "file": "evil.npy", "allow_pickle": True},
    {"_target_": "sam2.modeling.position_encoding.np.save", "file": "ran", "arr": [1]},
    {"_target_": "sam2.modeling.sam2_base.torch.hub.download_url_to_file", "url": "file:///etc/hosts", "dst": "ran"},
    {"_target_": "sam2.modeling.memory_encoder.Fuser", "_partial_": True},
    {"_target_": "sam2.modeling.memory_encoder.Fuser", "_args_": [1]},
    {"_target_": "sam2.modeling.memory_encoder.Fuser", "_recursive_": False},
    {"_target_": "sam2.modeling.memory_encoder.Fuser", "layer": {"_target_": "torch.nn.Identity"}, "num_layers": 1},
    {"_target_": ["sam2.modeling.memory_encoder.Fuser"]},
    {"_target_": "sam2.modeling.sam2_base.SAM2Base"},
]


@pytest.mark.parametrize("node", CODE, ids=lambda node: str(node["_target_"])[-30:])
def test_a_config_runs_no_code(
    node: dict[str, object], weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = own_config(tmp_path / "evil.yaml", memory_encoder__fuser=node)
    refused(dataclasses.replace(of(weights, trust=True), config=str(path)), "evil.yaml", "memory_encoder.fuser")
    refused(dataclasses.replace(of(weights, trust=True), config=str(own_config(path, anything=[[node]]))), "evil.yaml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.yaml"]


@pytest.mark.parametrize(
    "changes",
    [
        {"image_encoder__trunk__weights_path": "/nowhere/hiera.pt"},
        {"compile_image_encoder": True},
        {"image_size": 0},
        {"image_size": 1_000_000},
        {"image_size": True},
        {"memory_attention__num_layers": 60_000},
        {"memory_attention__layer__dim_feedforward": 65_000, "memory_attention__num_layers": 2_000},
        {"image_encoder__trunk__stages": [60_000, 60_000, 60_000, 60_000]},
        {"memory_encoder__mask_downsampler__kernel_size": 60_000},
        {"memory_attention__layer__self_attention__feat_sizes": [60_000, 60_000]},
        {"num_maskmem": 10**30},
        {"sigmoid_scale_for_mem_enc": float("nan")},
        {"image_encoder__neck__d_model": "${oc.env:HOME}"},
        {"image_encoder__neck__fpn_interp_model": "x" * 1000},
        {"sam_mask_decoder_extra_args": {"transformer": {"_target_": "torch.nn.Identity"}}},
    ],
    ids=str,
)
def test_a_config_is_bounded(changes: dict[str, object], weights: Path, tmp_path: Path) -> None:
    path = own_config(tmp_path / "odd.yaml", **changes)
    with pytest.raises(CheckpointError, match=r"odd\.yaml") as caught:
        model.load(model.find(dataclasses.replace(of(weights, trust=True), config=str(path))))
    assert "\n" not in str(caught.value)
    assert os.environ["HOME"] not in str(caught.value).replace(str(path), "")


BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{before}'] * 9)}]\n" for before, after in itertools.pairwise("abcdefghij")
)


@pytest.mark.parametrize(
    "text",
    [
        "model: [not, a, config",
        BOMB,
        "model: &m {_target_: *m}",
        "model: " + "[" * 30_000,
        "model:\n" + "\n".join(f"{' ' * i}a:" for i in range(1, 300)),
        "model: !!python/object/apply:os.system ['touch ran']",
        "model: !!binary aGVsbG8=",
        "model: {_target_: a, _target_: b}",
        "model: {1: 2}",
        "model: {? [a] : b}",
        "# " + "x" * 100_000,
        "\0",
        "",
    ],
    ids=lambda text: repr(text[:30]),
)
def test_a_config_is_plain_yaml(text: str, weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"odd\.yaml") as caught:
        model.load(model.find(dataclasses.replace(of(weights, trust=True), config=str(path))))
    assert "\n" not in str(caught.value)


def test_names_of_configs(weights: Path) -> None:
    refused(dataclasses.replace(of(weights, trust=True), config="../../../etc/passwd"), "no such config")
    refused(dataclasses.replace(of(weights, trust=True), config="/dev/zero"), "/dev/zero", "no file")


def test_a_foreign_config_needs_a_yes_whatever_the_weights_hash_to(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = own_config(tmp_path / "own.yaml")
    digest = model._hash_file(weights)
    hashed = dataclasses.replace(of(weights, sha256=digest), config=str(path))
    refused(hashed, "own.yaml", "trust")
    published = Official("as_if", "as_if.pt", "", "", 1, digest, 0.0)
    monkeypatch.setitem(model.OFFICIAL, "as_if", published)
    refused(dataclasses.replace(hashed, sha256=""), "own.yaml", "trust")
    assert model.load(model.find(dataclasses.replace(hashed, trust=True))).source.config == path


def test_weights_that_are_no_numbers(weights: Path, tmp_path: Path) -> None:
    state = torch.load(weights, weights_only=True)["model"]
    first = next(iter(state))
    state[first] = torch.full_like(state[first], float("nan"))
    path = tmp_path / "nan.pt"
    torch.save({"model": state}, path)
    refused(of(path, trust=True), "nan.pt", first, "not finite numbers")


def test_weights_that_unpack_to_more_than_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "_MAX_WEIGHTS", 1_000_000)
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("archive/data/0", bytes(1_000_001))
    refused(of(path, trust=True), "bomb.pt", "unpacks")


def test_device_and_precision() -> None:
    cpu = torch.device("cpu")
    assert model.choose_precision("bfloat16", cpu) == "bfloat16"
    assert model.choose_precision("auto", torch.device("mps")) == "float32"
    if not torch.cuda.is_available():
        with pytest.raises(CheckpointError, match="no cuda"):
            model.choose_device("cuda")
        assert model.choose_device("auto").type in ("mps", "cpu")


@pytest.fixture
def broken_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose torch sees a GPU on which nothing works: any tensor there is an error."""
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU that works")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


def test_the_cpu_beside_a_gpu(broken_gpu: None) -> None:
    """sam2's constructors would put tensors on the GPU although the CPU was chosen."""
    with pytest.raises(CheckpointError, match=r"(?i)cuda"):
        build(EMBEDDED_CONFIG)
    found = self_test("cpu", Measured("RTX", "bfloat16", gpu_problem="no kernel image"))
    assert "CPU" in found.device
    assert found.gpu_problem == "no kernel image"  # it was not tried again


def test_nothing_is_where_it_was_not_asked_for(broken_gpu: None) -> None:
    """A tensor is on the requested device, whether that is a name, a device, a keyword, or has a number."""
    here = torch.device("cpu")
    with Only(here):
        made = [
            torch.zeros(2).to("cuda"),
            torch.zeros(2).to(device="cuda:1"),
            torch.zeros(2).to(torch.device("cuda"), torch.float16),
            torch.zeros(2, device="cuda"),
            torch.arange(3, device=torch.device("cuda", 1)),
            torch.zeros(2).cuda(),
            torch.zeros(2).cuda(1),
        ]
    assert {array.device for array in made} == {here}
    with Only(torch.device("meta")):
        assert torch.zeros(2).to("cuda").is_meta
        assert torch.zeros(2).device == here


def test_a_cpu_that_was_asked_for_wakes_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked() -> bool:
        raise AssertionError

    monkeypatch.setattr(torch.cuda, "is_available", asked)
    monkeypatch.setattr(torch.backends.mps, "is_available", asked)
    assert model.choose_device("cpu").type == "cpu"


@pytest.mark.parametrize(
    ("name", "capability", "bfloat16", "expected"),
    [
        ("GTX 1080", (6, 1), False, "float32"),
        ("Titan V", (7, 0), False, "float16"),
        ("RTX 2080", (7, 5), False, "float16"),
        ("GTX 1660 Ti", (7, 5), False, "float32"),
        ("RTX 3090", (8, 6), True, "bfloat16"),
    ],
)
def test_what_a_gpu_computes_in(
    name: str, capability: tuple[int, int], bfloat16: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bfloat16)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"NVIDIA GeForce {name}")
    assert model.choose_precision("auto", torch.device("cuda")) == expected


def test_a_chosen_gpu_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not silently replaced by another one or by the CPU; if the CPU was chosen, the GPU does not matter."""
    monkeypatch.setenv(GPU_CHOICE, "GPU-1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for wish in ("auto", "cuda"):
        with pytest.raises(CheckpointError, match="GPU-1"):
            model.choose_device(wish)  # type: ignore[arg-type]
    assert model.choose_device("cpu").type == "cpu"


def test_all_gpus_are_listed_by_what_stays_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = [SimpleNamespace(name=name, uuid=uuid) for name, uuid in (("RTX 5090", "a-1"), ("RTX 4090", "b-2"))]
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(cards))
    monkeypatch.setattr(torch.cuda, "get_device_properties", cards.__getitem__)
    assert testing._gpus() == (Gpu("GPU-a-1", "RTX 5090"), Gpu("GPU-b-2", "RTX 4090"))
    monkeypatch.setattr(torch.version, "cuda", None)  # ROCm's
    assert testing._gpus() == ()


def test_float16_as_gpus_compute_it(clip, checkpoint: Model) -> None:
    """Upstream's memories are in bfloat16, which float16's autocast does not join with others. Mattes hardly differ."""
    job = Job(
        clip.take(3),
        (MatteObject("Toy", (Prompt(1, (Point(*clip.subject),)), Prompt(2, (Point(*clip.subject),)))),),
        target="",
    )
    mattes = []
    for precision in ("float32", "float16"):
        session = Session(lambda *_: None, lambda: False)
        take = session.track(
            dataclasses.replace(job, model=dataclasses.replace(checkpoint, precision=precision))
        ).takes["Toy"]
        matte = take.matte(3)
        assert matte is not None
        mattes.append(matte.logits > 0)
    assert mattes[0].any()
    assert testing._difference(mattes[1], mattes[0]) < 0.02
