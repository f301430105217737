"""Shared by the benchmarks: frames to measure on, measured processes, and an unmodified upstream predictor."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from addon.checkpoints import EMBEDDED_CONFIG, EMBEDDED_WEIGHTS, OFFICIAL, checkpoints_folder

ROOT = Path(__file__).resolve().parents[1]
_RANDOM = "random.pt"


@dataclass(frozen=True, slots=True)
class Run:
    """One process that has ended: peak resident memory in bytes, wall-clock seconds, its standard output."""

    peak: int
    seconds: float
    cpu: float
    output: str


def demo_frames() -> list[Path]:
    """Return the JPEGs of the demo's clip."""
    return sorted((ROOT / "demo" / "clips" / "toy" / "rgb").iterdir())


def links(files: list[Path], folder: Path, count: int) -> Path:
    """Link `count` frames into `folder`, going back and forth through `files`, with the names upstream expects
    (00000.jpg).
    """
    order = [*files, *files[-2:0:-1]]
    folder.mkdir()
    for i in range(count):
        (folder / f"{i:05d}.jpg").symlink_to(order[i % len(order)].resolve())
    return folder


def photos(folder: Path, count: int, width: int = 6000, height: int = 9000) -> Path:
    """Write `count` photos like a camera's: an enlarged demo frame with grain, JPEG quality 95, without subsampling."""
    folder.mkdir()
    noise = np.random.default_rng(0)
    grain = noise.normal(0, 4, (height // 8, width // 8, 3)).astype(np.float32)
    for i, file in zip(range(count), demo_frames(), strict=False):
        with Image.open(file) as frame:
            pixels = np.asarray(frame.convert("RGB").resize((width, height), Image.Resampling.BICUBIC))
        # the grain is tiled and shifted: real photos are not smooth, and smooth ones would flatter every encoder
        tile = np.roll(grain, noise.integers(0, 500, 2), (0, 1))
        out = np.empty_like(pixels)
        for y in range(0, height, grain.shape[0]):
            for x in range(0, width, grain.shape[1]):
                part = (slice(y, y + grain.shape[0]), slice(x, x + grain.shape[1]))
                there = pixels[part]
                out[part] = np.clip(there + tile[: there.shape[0], : there.shape[1]], 0, 255)
        Image.fromarray(out).save(folder / f"{i:05d}.jpg", quality=95, subsampling=0)
    return folder


def environment() -> dict[str, str]:
    """Return the environment variables of a measured process."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "OMP_WAIT_POLICY": "PASSIVE", "TQDM_DISABLE": "1"}


# On Linux, a process's peak includes its parent's memory at the time of the fork, so a small process starts it.
_LAUNCHER = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-P", *sys.argv[1:]], stdin=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
print(usage.ru_maxrss, usage.ru_utime + usage.ru_stime)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def measure(arguments: list[str]) -> Run:
    """Run Python with `arguments` in its own process and measure it (POSIX only: peak memory comes from wait4)."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-S", "-c", _LAUNCHER, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env=environment(),
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed with {done.returncode}")
    *output, usage = done.stdout.splitlines()
    peak, cpu = usage.split()
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kilobytes
    return Run(int(peak) * unit, time.monotonic() - began, float(cpu), "\n".join(output))


def model_files(checkpoint: str, room: Path) -> tuple[Path, Path]:
    """Return config and weights of a checkpoint. Without its file, random weights are written to `room`."""
    if checkpoint == "embedded":
        return EMBEDDED_CONFIG, EMBEDDED_WEIGHTS
    import sam2
    import torch

    official = OFFICIAL[checkpoint]
    config, weights = Path(sam2.__path__[0]) / official.config, checkpoints_folder() / official.file
    if not weights.exists():
        weights = room / _RANDOM
        torch.save({"model": upstream_predictor(config, None).state_dict()}, weights)
    return config, weights


def weights_in_words(checkpoint: str, weights: Path) -> str:
    """A checkpoint's name, and whether its weights, as from `model_files`, are random."""
    return f"{checkpoint} (random weights)" if weights.name == _RANDOM else checkpoint


def upstream_predictor(config: Path, weights: Path | None, *, compiled: bool = False, **settings: Any) -> Any:
    """Build an unmodified SAM2VideoPredictor with its own `settings`; without `weights`, seeded random ones.

    compiled: as upstream's build_sam2_video_predictor does with `vos_optimized`.
    """
    import torch
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    torch.manual_seed(0)
    model = OmegaConf.load(config).model
    model._target_ = f"sam2.sam2_video_predictor.SAM2VideoPredictor{'VOS' if compiled else ''}"
    model.compile_image_encoder = compiled
    # as sam2/build_sam.py does, but without filling holes, which needs CUDA
    model.binarize_mask_from_pts_for_mem_enc = True
    model.sam_mask_decoder_extra_args = {
        "dynamic_multimask_via_stability": True,
        "dynamic_multimask_stability_delta": 0.05,
        "dynamic_multimask_stability_thresh": 0.98,
    } | dict(model.get("sam_mask_decoder_extra_args") or {})
    predictor = instantiate(model, _recursive_=True, **settings).eval()
    if weights is not None:
        state = torch.load(weights, map_location="cpu", weights_only=True)["model"]
        predictor.load_state_dict({key: value.float() for key, value in state.items()})
    return predictor
