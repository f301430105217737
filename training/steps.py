"""One training step's forward pass: on single frames with a correction, or on clips through the memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from .losses import iou, loss
from .network import Decoded, Features, decode, encode, repeat, without_memory
from .prompts import corrected, first_prompts, tensors
from .samples import Batch

Rng = np.random.Generator


def _answers(logits: Tensor, size: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return the N x S x S masks of the single mask's logits."""
    with torch.no_grad():
        full = torch.nn.functional.interpolate(logits[:, :1].float(), size=(size, size), mode="bilinear")
        return (full[:, 0] > 0).cpu().numpy()


def image_step(model: Any, batch: Batch, rng: Rng, device: torch.device, early: float = 0.0) -> tuple[Tensor, Tensor]:
    """Return loss and mean IoU of the answers on the batch's first frames, after a prompt and at times a correction."""
    size = batch.images.shape[-1]
    features = repeat(encode(model, batch.images[:, 0].to(device)), batch.owner.to(device))
    target, truth = batch.targets(device)[:, 0], batch.masks[:, 0]
    top = without_memory(model, features)
    points, labels = first_prompts(rng, truth)
    answer = decode(model, features, top, *tensors(points, labels, device), None)
    total = loss(answer, target, True, early)
    quality = iou(answer.logits[:, 0], target).mean()
    if rng.random() < 0.5:
        return total, quality
    points, labels = corrected(rng, points, labels, _answers(answer.logits, size), truth)
    before = answer.logits[:, :1].detach().clamp(-32, 32)
    second = decode(model, features, top, *tensors(points, labels, device), before)
    return total + 0.5 * loss(second, target, False, early), quality


def _remember(
    model: Any, features: Features, logits: Tensor, token: Tensor, visible: Tensor, clicked: bool
) -> dict[str, Any]:
    """Return what sam2 remembers of a frame: memory features, their positions, and the object pointer."""
    flat = features.top.flatten(2).permute(2, 0, 1)
    side = model.image_size
    full = torch.nn.functional.interpolate(logits.float(), size=(side, side), mode="bilinear", align_corners=False)
    full = torch.where(visible[:, None, None, None], full, torch.full_like(full, -1024.0))
    score = torch.where(visible, 10.0, -10.0)[:, None]
    memory, positions = model._encode_new_memory([flat], [features.top.shape[-2:]], full, score, clicked)
    pointer = model.obj_ptr_proj(token)
    there = visible[:, None].float()
    pointer = there * pointer + (1 - there) * model.no_obj_ptr
    return {"maskmem_features": memory, "maskmem_pos_enc": positions, "obj_ptr": pointer}


def clip_step(model: Any, batch: Batch, rng: Rng, device: torch.device, early: float = 0.0) -> tuple[Tensor, Tensor]:
    """Return loss and mean IoU of the tracked frames: a prompt (sometimes a mask) on the first frame, then memory
    alone.

    One clip in three gets a correcting click on a later frame, which then becomes a conditioning frame. In every other
    clip one frame counts as up to six, preferably one where the subject is hidden. When it reappears, the recent memory
    that sam2 keeps does not show it any more, a situation that short clips would never contain.
    """
    frames = batch.images.shape[1]
    size = batch.images.shape[-1]
    every = encode(model, batch.images.flatten(0, 1).to(device))
    owner, targets = batch.owner.to(device), batch.targets(device)
    outputs: dict[str, dict[int, Any]] = {"cond_frame_outputs": {}, "non_cond_frame_outputs": {}}
    correct_at = int(rng.integers(1, frames)) if frames > 2 and rng.random() < 0.33 else -1
    stands, standing = _standing(rng, batch.masks, correct_at)
    total, qualities, now = torch.zeros((), device=device), [], 0
    for t in range(frames):
        features = repeat(every, owner * frames + t)
        target, truth = targets[:, t], batch.masks[:, t]
        visible = target.flatten(1).amax(1) >= 0.5
        weight = 1.0
        if t == 0:
            top = without_memory(model, features)
            if (
                rng.random() < 0.35
            ):  # a mask as the prompt: sam2 uses it as the answer; the decoder only makes the pointer
                given = torch.from_numpy(truth).to(device)[:, None].float()
                hint = model.mask_downsample(given)
                answer = decode(model, features, features.top, None, None, hint)
                answer = answer._replace(
                    logits=(torch.nn.functional.avg_pool2d(given, 4) * 20 - 10).expand(-1, 4, -1, -1)
                )
                weight = 0.0
            else:
                answer = decode(model, features, top, *tensors(*first_prompts(rng, truth), device), None)
        else:
            top = model._prepare_memory_conditioned_features(
                frame_idx=now,
                is_init_cond_frame=False,
                current_vision_feats=[features.top.flatten(2).permute(2, 0, 1)],
                current_vision_pos_embeds=[features.position.flatten(2).permute(2, 0, 1)],
                feat_sizes=[features.top.shape[-2:]],
                output_dict=outputs,
                num_frames=model.max_obj_ptrs_in_encoder,  # pointers get the age encoding of a longer clip
            )
            answer = decode(model, features, top, None, None, None)
            qualities.append(iou(answer.logits[:, 0], target)[visible].mean())
        if t == correct_at:
            total = total + loss(answer, target, False, early)
            answer = _correct(model, features, top, answer, truth, rng, size, device)
        total = total + weight * loss(answer, target, True, early) if weight else total
        kind = "cond_frame_outputs" if t in (0, correct_at) else "non_cond_frame_outputs"
        kept = _remember(model, features, answer.logits[:, :1], answer.tokens[:, 0], visible, t in (0, correct_at))
        for _ in range(standing if t == stands else 1):
            outputs[kind][now] = kept
            now += 1
    return total / frames, torch.stack(qualities).nanmean()


def _standing(rng: Rng, masks: np.ndarray[Any, np.dtype[np.bool_]], correct_at: int) -> tuple[int, int]:
    """Choose the frame of a clip's N x T x S x S masks that counts as several, and as how many."""
    frames = masks.shape[1]
    between = [t for t in range(1, frames - 1) if t != correct_at]
    if not between or rng.random() < 0.5:
        return 0, 1
    hidden = [t for t in between if not masks[:, t].any((1, 2)).all()]
    return int(rng.choice(hidden or between)), int(rng.integers(2, 7))


def _correct(
    model: Any, features: Features, top: Tensor, answer: Decoded, truth: Any, rng: Rng, size: int, device: torch.device
) -> Decoded:
    """Return the answer after one correcting click."""
    empty = np.zeros((len(truth), 4, 2), np.float32), np.full((len(truth), 4), -1, np.int32)
    prompts = corrected(rng, *empty, _answers(answer.logits, size), truth)
    before = answer.logits[:, :1].detach().clamp(-32, 32)
    return decode(model, features, top, *tensors(*prompts, device), before)
