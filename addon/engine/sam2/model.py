"""Loads weights and puts a predictor on a device.

A checkpoint is somebody else's data: only weights are read, and file and config (config.py) need a known hash or an
explicit yes.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sam2
import torch

from ...checkpoints import EMBEDDED_CONFIG, EMBEDDED_WEIGHTS, OFFICIAL, checkpoints_folder
from ...contract import job_types as contract
from ...contract.boundary import reading
from ...contract.errors import CheckpointError
from ...runtime.locate import GPU_CHOICE
from . import device_memory
from .config import build, read_bytes
from .cpu import faster_modules
from .cpu.linear import can_fuse
from .cuda.graphs import LANES, CudaLane, Graphs, works
from .cuda.modules import GraphPredictor, cast_weights, use_graphs
from .placement import Only
from .predictor import Predictor

_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_TENSOR_CORES = (7, 0)  # compute capability of the first GPUs with tensor cores (Volta)
_WITHOUT_TENSOR_CORES = "GTX 16"  # Turing GPUs that lack them

_SEED = 0
_HASH_BLOCK = 1 << 20
_MAX_WEIGHTS = 8_000_000_000  # bytes, unpacked; the largest published checkpoint has 0.9 GB


@dataclass(frozen=True, slots=True)
class Source:
    """Which model computes, where and how: everything that determines its arithmetic, known before it is loaded.

    sha256: of the weights and of the config.
    """

    name: str
    config: Path
    weights: Path
    sha256: str
    device: torch.device
    precision: contract.Precision  # never "auto"

    @property
    def is_gpu(self) -> bool:
        """Whether it computes on a GPU; then reading, writing and compressing files are slow in comparison."""
        return self.device.type != "cpu"

    @property
    def facts(self) -> dict[str, str]:
        """Return the facts that the matte store keys on: on another device or torch, results may differ in the last
        bit.
        """
        return {
            "sha256": self.sha256,
            "device": describe(self.device),
            "precision": self.precision,
            "torch": torch.__version__,
        }

    def __str__(self) -> str:
        return f"{self.name} on {describe(self.device)}, {self.precision}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model on its device, ready to track."""

    predictor: Predictor
    source: Source

    @contextlib.contextmanager
    def computing(self) -> Iterator[None]:
        """Enter inference mode at the model's precision."""
        device = self.source.device.type
        precision: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
        if self.source.precision != "float32":
            # On CUDA the weights have this type already (cast_weights). Autocast frees its cached copies when this
            # context ends, while a recorded CUDA graph would still read them.
            precision = torch.autocast(device, _TYPES[self.source.precision], cache_enabled=device != "cuda")
        with torch.inference_mode(), precision, contextlib.nullcontext() if not self.source.is_gpu else forward_only():
            yield

    def make_room(self) -> None:
        """Free the device memory that is used only to compute faster, and use no more of it."""
        if isinstance(self.predictor, GraphPredictor):
            self.predictor.graphs.give_up()


def find(choice: contract.Model) -> Source:
    """Return the files, device and precision that `choice` stands for, hashed and checked. Raises CheckpointError."""
    name, config, weights, weights_hash = _files(choice)
    digest = hashlib.sha256(f"{weights_hash}\n".encode() + read_bytes(config)).hexdigest()
    device = choose_device(choice.device)
    return Source(name, config, weights, digest, device, choose_precision(choice.precision, device))


def load(source: Source) -> Loaded:
    """Build the predictor and put it on its device. Raises CheckpointError."""
    device_memory.limit(source.device)
    with Only(source.device):
        predictor = build(source.config)
    _load_weights(predictor, source.weights)
    if source.device.type == "cpu" and source.precision != "float16":
        # not for float16, a GPU's type, in which sums of these modules overflow
        faster_modules.replace_modules(predictor)
        faster_modules.merge_projections(predictor)
        can_fuse(_TYPES[source.precision])  # tested before the first frame
    if source.device.type == "cuda":
        if source.precision != "float32":
            cast_weights(predictor, _TYPES[source.precision])
        home, *others = (CudaLane(source.device) for _ in range(1 + LANES))
        if works(home, source.device):
            use_graphs(predictor, Graphs(home, others))
    return Loaded(predictor.to(source.device).eval(), source)


def _files(choice: contract.Model) -> tuple[str, Path, Path, str]:
    """Return name, config, weights and the weights' hash."""
    name = choice.checkpoint
    if name == "embedded":
        return name, EMBEDDED_CONFIG, EMBEDDED_WEIGHTS, _hash_file(EMBEDDED_WEIGHTS)
    if name in OFFICIAL:
        official = OFFICIAL[name]
        weights = checkpoints_folder() / official.file
        if not weights.exists():
            raise CheckpointError(
                "This checkpoint is not on this machine yet.",
                where=name,
                hint=f"Press Download in the preferences, run `python3 vendor_setup checkpoint {name}`, or put "
                f"{official.file} into {weights.parent}.",
            )
        found = _hash_file(weights)
        if found != official.sha256:
            raise CheckpointError(
                f"This is not the file that was published: its sha256 is {found}, not {official.sha256}.",
                where=str(weights),
                hint="Delete it and download it again.",
            )
        return name, _sam2_config(official.config), weights, found
    weights = Path(name)
    if not weights.is_absolute():
        raise CheckpointError(
            "There is no checkpoint of this name.",
            where=name,
            hint=f"Known: embedded, {', '.join(OFFICIAL)}; or give the full path of a file.",
        )
    if not weights.is_file():
        raise CheckpointError("There is no such file.", where=name, hint="Choose the checkpoint again.")
    if not choice.config:
        raise CheckpointError(
            "A checkpoint file needs the config it was trained with.",
            where=name,
            hint="Name one of the sam2 package's (configs/sam2.1/sam2.1_hiera_t.yaml) or give a .yaml file.",
        )
    found = _hash_file(weights)
    if choice.sha256 and found != choice.sha256.lower():
        raise CheckpointError(
            f"Its sha256 is {found}, not {choice.sha256} as the Job says.", where=name, hint="Get the right file."
        )
    if not choice.sha256 and not choice.trust and found not in {checkpoint.sha256 for checkpoint in OFFICIAL.values()}:
        raise CheckpointError(
            f"This file is not one of the published checkpoints (sha256 {found}).",
            where=name,
            hint="If you trust where it comes from, say so (--trust-checkpoint, or its sha256 in the Job).",
        )
    return weights.name, _config_of(choice), weights, found


def _config_of(choice: contract.Model) -> Path:
    """Return the config of a checkpoint file. A config that is neither sam2's nor ours must be trusted explicitly."""
    if not Path(choice.config).is_absolute():
        return _sam2_config(choice.config)
    config = Path(choice.config)
    if not choice.trust and read_bytes(config) != read_bytes(EMBEDDED_CONFIG):
        raise CheckpointError(
            "This config is not one of the sam2 package's.",
            where=choice.config,
            hint="If you trust where it comes from, say so (--trust-checkpoint).",
        )
    return config


def choose_device(requested: contract.Device) -> torch.device:
    """Return the fastest device, or the requested one. Raises CheckpointError if that does not exist."""
    # Only devices that may be used are queried, as a query initialises the driver.
    there: dict[str, Callable[[], bool]] = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
        "cpu": lambda: True,
    }
    if requested in ("auto", "cuda") and os.environ.get(GPU_CHOICE) and not torch.cuda.is_available():
        raise CheckpointError(
            "The chosen GPU is not there, or its driver does not answer.",
            where=os.environ[GPU_CHOICE],
            hint="Choose another GPU in the preferences, or Automatic.",
        )
    if requested == "auto":
        return torch.device(next(name for name, is_there in there.items() if is_there()))
    if not there[requested]():
        raise CheckpointError(
            f"This machine's torch {torch.__version__} has no {requested}.",
            where="model.device",
            hint="Choose another device (auto takes the best there is), or repair the runtime.",
        )
    return torch.device(requested)


def choose_precision(requested: contract.Precision, device: torch.device) -> contract.Precision:
    """Return bfloat16 if the hardware computes it natively, else float16 on tensor cores (Volta, Turing), else float32.

    The self-test measures what the shorter types do to a matte. MPS stays at float32, since Meta calls SAM 2 on MPS
    numerically degraded already. A CPU without AMX or AVX512-BF16 emulates bfloat16, which is slower.
    """
    if requested != "auto":
        return requested
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return "bfloat16"
        has_tensor_cores = torch.cuda.get_device_capability(device) >= _TENSOR_CORES
        return "float16" if has_tensor_cores and _WITHOUT_TENSOR_CORES not in describe(device) else "float32"
    if device.type == "cpu":
        native = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
        return "bfloat16" if native else "float32"
    return "float32"


def describe(device: torch.device) -> str:
    """Return a description of the device for people and reports."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    cpu = f"CPU, {threads} thread{'' if threads == 1 else 's'}"
    return {"cpu": cpu, "mps": "Apple GPU"}.get(device.type, device.type)


def make_deterministic() -> None:
    """Make torch deterministic. CUBLAS_WORKSPACE_CONFIG must be set before torch is imported."""
    torch.manual_seed(_SEED)
    # Like use_deterministic_algorithms(True, warn_only=True), which would also import torch's whole compiler.
    torch.set_deterministic_debug_mode("warn")
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # costs time; no uninitialised memory is read here
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True  # stays set inside `forward_only`


@contextlib.contextmanager
def forward_only() -> Iterator[None]:
    """Switch torch's deterministic mode off for a forward pass on a GPU, where it costs time and changes nothing.

    In that mode, torch implements bilinear upsampling by 41 operators to make its gradient deterministic; tracking
    needs no gradient. Of SAM 2's operators, two kinds may sum in varying order in the forward pass: convolutions, for
    which `torch.backends.cudnn.deterministic` stays set, and cumsum, which sums ones here (PositionEmbeddingRandom), so
    that its result is exact in any order.
    """
    mode = torch.get_deterministic_debug_mode()
    torch.set_deterministic_debug_mode("default")
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(mode)


def _load_weights(predictor: Predictor, path: Path) -> None:
    hint = "It may be damaged, or hold more than weights, which is refused. Download it again."
    with reading(CheckpointError, "This file can't be read as weights", where=str(path), hint=hint):
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as packed:
                if sum(entry.file_size for entry in packed.infolist()) > _MAX_WEIGHTS:
                    raise ValueError("it unpacks to more bytes than any SAM 2 checkpoint")
        state = torch.load(path, map_location="cpu", weights_only=True)
    weights = state.get("model") if isinstance(state, dict) else None
    if not isinstance(weights, dict) or not all(map(_is_plain, weights.values())):
        raise CheckpointError(
            'This file holds no SAM 2 weights (a dict "model" of tensors).',
            where=str(path),
            hint="Choose another file.",
        )
    expected = predictor.state_dict()
    missing = sorted(set(expected) - set(weights))
    unknown = sorted(map(str, set(weights) - set(expected)))
    misfit = sorted(key for key in set(expected) & set(weights) if expected[key].shape != weights[key].shape)
    if missing or unknown or misfit:
        first = (misfit or missing or unknown)[0]
        raise CheckpointError(
            f"These weights do not fit the config: {len(missing)} missing, {len(unknown)} unknown, {len(misfit)} of "
            f"another shape; the first is {first!r}.",
            where=str(path),
            hint="Choose the config that belongs to this checkpoint.",
        )
    for key, value in weights.items():
        if not torch.isfinite(value).all():
            raise CheckpointError(
                f"The weights {key!r} contain values that are not finite numbers.",
                where=str(path),
                hint="It is damaged: get it again.",
            )
    predictor.load_state_dict({key: value.float() for key, value in weights.items()})


def _is_plain(value: Any) -> bool:
    """Whether it is a dense, contiguous tensor of numbers, as weights are."""
    return (
        isinstance(value, torch.Tensor)
        and value.layout == torch.strided
        and not (value.is_complex() or value.is_quantized or value.is_meta)
    )


def _sam2_config(name: str) -> Path:
    root = Path(sam2.__path__[0]).resolve()
    path = (root / name).resolve()
    if not path.is_file() or root not in path.parents:
        raise CheckpointError("The sam2 package has no such config.", where=name)
    return path


def _hash_file(path: Path) -> str:
    """Return the sha256 of a file. It is cached by size and time, as every preview needs it."""
    try:
        status = path.stat()
        return _hash(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise CheckpointError(f"This file can't be read: {error.strerror}.", where=str(path)) from None


@functools.lru_cache(maxsize=8)
def _hash(path: Path, size: int, changed: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()
