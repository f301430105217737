"""What is kept of SAM 2's output on a frame: its matte, and its memory to the last bit, so that tracking can go on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from ...contract.errors import EngineError
from ...contract.job_types import Footage
from ..footage import panorama
from ..sam2.predictor import Output, State
from ..store import checked_file
from ..store.matte_store import Matte, Take


def on_host(tensors: Mapping[str, torch.Tensor]) -> Callable[[], dict[str, torch.Tensor]]:
    """Start to copy tensors to the computer's memory; returns what waits for the copies and has them.

    A CUDA GPU copies while it goes on to compute, into pinned memory. What is there already is not copied, so nobody
    may write to it any more.
    """
    if not any(tensor.is_cuda for tensor in tensors.values()):
        copies = {name: tensor.cpu() for name, tensor in tensors.items()}
        return lambda: copies
    copies = {
        name: torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(tensor, non_blocking=True)
        for name, tensor in tensors.items()
    }
    copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
    copied.record()

    def wait() -> dict[str, torch.Tensor]:
        copied.synchronize()
        return copies

    return wait


def save(take: Take, index: int, output: Output, *, conditioning: bool) -> None:
    """Keep the output of frame `index` (from 0) as far as later frames read it. Raises OutputError."""
    kept = {key: output[key] for key in ("maskmem_features", "obj_ptr", "object_score_logits")}
    kept["iou"] = float(output["iou"])
    if conditioning:
        positions = [encoding.clone() for encoding in output["maskmem_pos_enc"]]  # a view of more otherwise
        kept |= {"pred_masks": output["pred_masks"], "maskmem_pos_enc": positions}
    take.put_state(index + 1, lambda file: checked_file.write(file, kept), conditioning=conditioning)


def load(take: Take, index: int, state: State, *, conditioning: bool) -> Output | None:
    """What `save` wrote, on the state's device; None if it is missing or damaged."""
    output: Output | None = checked_file.read(take.state_path(index + 1, conditioning=conditioning), state["device"])
    if output is None or not _is_output(output, state["shapes"], conditioning=conditioning):
        return None
    constants = state["constants"]
    if conditioning:
        constants.setdefault("maskmem_pos_enc", output["maskmem_pos_enc"])
    # the same for all frames, so it is kept with the conditioning frames only, which are loaded first
    return output | {"maskmem_pos_enc": constants["maskmem_pos_enc"]}


def _is_output(kept: Any, shapes: dict[str, tuple[int, ...]], *, conditioning: bool) -> bool:
    """Whether it is what `save` keeps of a model with outputs of these shapes: the sum of a file says not by whom."""

    def fits(value: Any, name: str) -> bool:
        return (
            isinstance(value, torch.Tensor)
            and value.is_floating_point()
            and tuple(value.shape) == shapes[name]
            and bool(value.isfinite().all())
        )

    if not isinstance(kept, dict) or not isinstance(kept.get("iou"), float):
        return False
    if conditioning:
        positions = kept.get("maskmem_pos_enc")
        if not isinstance(positions, list) or not all(fits(encoding, "maskmem_features") for encoding in positions):
            return False
    names = ["maskmem_features", "obj_ptr", "object_score_logits", *(["pred_masks"] if conditioning else [])]
    return all(fits(kept.get(name), name) for name in names)


def matte_of(output: Output, footage: Footage) -> Matte:
    """What the store keeps of an output. Raises EngineError: the model gave something that is no number."""
    logits = output["pred_masks"][0, 0].float().cpu().numpy()
    score = float(output["object_score_logits"])
    iou = float(output["iou"])
    if not (np.isfinite(logits).all() and math.isfinite(score) and math.isfinite(iou)):
        raise EngineError(
            "The model's answer is not a number.",
            hint="Choose the precision float32, another device or another checkpoint; its weights may be damaged.",
        )
    half = logits.astype(np.float16)
    return Matte(panorama.narrow(half) if footage.panorama else half, iou, score)
