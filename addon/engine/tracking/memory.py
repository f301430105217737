"""What is kept of SAM 2's output on a frame: its matte, and its memory to the last bit, so that tracking can go on."""

from __future__ import annotations

import pickle

import numpy as np
import torch

from ...contract.job_types import Footage
from ..footage import panorama
from ..sam2.predictor import Output, State
from ..store.matte_store import Matte, Take


def save(take: Take, index: int, output: Output, *, conditioning: bool) -> None:
    """Keep the output of frame `index` (from 0) as far as later frames read it. Raises OutputError."""
    kept = {key: output[key] for key in ("maskmem_features", "obj_ptr", "object_score_logits", "iou")}
    if conditioning:
        positions = [each.clone() for each in output["maskmem_pos_enc"]]  # a view of more otherwise
        kept |= {"pred_masks": output["pred_masks"], "maskmem_pos_enc": positions}
    take.put_state(index + 1, lambda file: torch.save(kept, file), conditioning=conditioning)


def load(take: Take, index: int, state: State, *, conditioning: bool) -> Output | None:
    """What `save` wrote, on the state's device; None if it is missing or damaged."""
    path = take.state_path(index + 1, conditioning=conditioning)
    try:
        output: Output = torch.load(path, map_location=state["device"], weights_only=True)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError):
        return None
    constants = state["constants"]
    if conditioning:
        constants.setdefault("maskmem_pos_enc", output["maskmem_pos_enc"])
    # the same for all frames, so it is kept with the conditioning frames only, which are loaded first
    return output | {"maskmem_pos_enc": constants["maskmem_pos_enc"]}


def matte_of(output: Output, footage: Footage) -> Matte:
    """What the store keeps of an output."""
    logits = output["pred_masks"][0, 0].float().cpu().numpy().astype(np.float16)
    if footage.panorama:
        logits = panorama.narrow(logits)
    return Matte(logits, output["iou"], float(output["object_score_logits"]))
