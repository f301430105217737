"""Stores SAM 2's output on a frame: its matte, and its memory bit for bit, so that tracking can be resumed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ...contract.errors import EngineError
from ...contract.job_types import Footage
from ..footage import panorama
from ..sam2.predictor import Output, Predictor, State
from ..store import checked_file
from ..store.matte_store import Matte, Take
from .memory_policy import Notes

_MOST_OTHERS = 2  # most outputs of a frame beside the first


def save(take: Take, index: int, outputs: Sequence[Output], notes: Notes | None) -> None:
    """Store what a memory policy reads of a tracked frame `index` (from 0), and its notes. Raises OutputError."""
    first, *others = (_kept(output) for output in outputs)
    kept = first | ({"others": others} if others else {}) | ({} if notes is None else {"notes": notes})
    take.put_state(index + 1, lambda file: checked_file.write(file, kept), conditioning=False)


def save_conditioning(take: Take, index: int, output: Output) -> None:
    """Store the output of the prompted frame `index` (from 0) as far as other frames read it. Raises OutputError."""
    positions = [
        encoding.clone() for encoding in output["maskmem_pos_enc"]
    ]  # else a view of a larger tensor would be stored
    kept = _kept(output) | {"pred_masks": output["pred_masks"], "maskmem_pos_enc": positions}
    take.put_state(index + 1, lambda file: checked_file.write(file, kept), conditioning=True)


def as_loaded(output: Output) -> Output:
    """Return an output as `load` returns it after `save`."""
    return _kept(output) | {"maskmem_pos_enc": output["maskmem_pos_enc"]}


def _kept(output: Output) -> Output:
    tensors = {key: output[key] for key in ("maskmem_features", "obj_ptr", "object_score_logits")}
    return tensors | {"iou": float(output["iou"])}


def load(take: Take, index: int, state: State) -> tuple[list[Output], Notes | None] | None:
    """Return what `save` wrote, on the state's device; None if it is missing or damaged."""
    kept = checked_file.read(take.state_path(index + 1, conditioning=False), state["device"])
    if not isinstance(kept, dict):
        return None
    others, notes = kept.pop("others", []), kept.pop("notes", None)
    if (
        not isinstance(others, list)
        or len(others) > _MOST_OTHERS
        or not all(_is_output(output, state["shapes"], conditioning=False) for output in (kept, *others))
    ):
        return None
    # the same for all frames, so it is stored with the conditioning frames only, which are loaded first
    positions = {"maskmem_pos_enc": state["constants"]["maskmem_pos_enc"]}
    return [output | positions for output in (kept, *others)], notes


def load_conditioning(take: Take, index: int, state: State) -> Output | None:
    """Return what `save_conditioning` wrote, on the state's device; None if it is missing or damaged."""
    output: Output | None = checked_file.read(take.state_path(index + 1, conditioning=True), state["device"])
    if output is None or not _is_output(output, state["shapes"], conditioning=True):
        return None
    return output | {"maskmem_pos_enc": state["constants"].setdefault("maskmem_pos_enc", output["maskmem_pos_enc"])}


def _is_output(kept: Any, shapes: dict[str, tuple[int, ...]], *, conditioning: bool) -> bool:
    """Whether it is an output of a model with these shapes: a file's checksum does not show which model wrote it."""

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
    """Return the matte that the store keeps of an output. Raises EngineError if it contains values that are not
    numbers.
    """
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


def shape_of(state: State, footage: Footage) -> tuple[int, int]:
    """Return the shape (h, w) of the logits that the store keeps of a model's outputs."""
    logits = np.empty(state["shapes"]["pred_masks"][2:], np.float16)
    height, width = (panorama.narrow(logits) if footage.panorama else logits).shape
    return height, width


def put_tracked(predictor: Predictor, state: State, obj: int, index: int, matte: Matte, footage: Footage) -> bool:
    """Set a stored matte as the tracked one on frame `index` (from 0), so that points correct it.

    Return False, and change nothing, if the matte was tracked with another setting of panorama.
    """
    logits = panorama.widened(matte.logits) if footage.panorama else matte.logits
    if logits.shape[0] != logits.shape[1]:
        return False
    masks = torch.from_numpy(logits.astype(np.float32)).to(predictor.device)
    predictor.tracked(state, obj)[index] = {"pred_masks": masks[None, None]}
    state["frames_tracked_per_obj"][obj][index] = {"reverse": False}
    return True
