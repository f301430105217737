"""Upstream's SAM2VideoPredictor, changed only where it is wrong or wasteful for us (see sam2 1.1.0's source).

- It starts without reading any footage: frames are passed in as they are needed.
- Masks stay at the size of the logits (256 x 256 for 1024 px input); upstream enlarges each one to the plate's size.
- A prompt on a tracked frame makes it a conditioning frame, so that corrections spread.
- An image that was encoded before is not encoded again (store/feature_cache.py).
- Each output also has the predicted IoU, which upstream drops.
- Its memories can also be read in float16.

The arithmetic is upstream's: with the same weights, the masks are the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from sam2.modeling.sam2_base import NO_OBJ_SCORE
from sam2.sam2_video_predictor import SAM2VideoPredictor

from ..store.feature_cache import Maps

State = dict[str, Any]  # upstream's inference_state
Output = dict[str, Any]  # upstream's output of one object on one frame
Reads = dict[str, dict[int, Output]]  # upstream's output_dict: the outputs that a frame reads, by kind and frame index
Lanes = Callable[[int], contextlib.AbstractContextManager[object]]  # where an object is computed

# A frame reads from others (sam2_base.py): the last num_maskmem - 1 = 6 memories, the object pointers of the last
# max_obj_ptrs_in_encoder - 1 = 15 frames, and all conditioning frames.
REACH = 15

_SAM_OUTPUTS = 7  # number of tensors that SAM2Base._forward_sam_heads returns


class Frames(Protocol):
    """A source of images for the predictor."""

    def __getitem__(self, index: int) -> torch.Tensor:
        """Return frame `index` (from 0): float32 (3, S, S), normalised as SAM 2 expects, S = image_size."""


class Features(Protocol):
    """A cache of feature maps by clip frame (store/feature_cache.py)."""

    def get(self, frame: int, device: torch.device) -> Maps | None:
        """Return a frame's maps on `device`; None if they are not cached."""

    def put(self, frame: int, maps: Maps) -> None:
        """Cache a frame's maps."""


class Predictor(SAM2VideoPredictor):  # type: ignore[misc]  # sam2 is untyped
    """SAM2VideoPredictor for footage of any length and size."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(fill_hole_area=0, add_all_frames_to_correct_as_cond=True, **kwargs)
        self._ious = torch.empty(0)
        self._decoded: tuple[
            torch.Tensor, ...
        ] = ()  # of the last frame: all masks, their predicted IoUs, tokens, object score

    def start(self, frames: Frames, frame_count: int, object_count: int, features: Features | None = None) -> State:
        """Return the state of a new track of `object_count` objects, whose ids and indices are 0, 1, ...

        Args:
            frames: the images.
            frame_count: frames of the whole clip: below 16 it enters the position encoding of object pointers.
            object_count: number of objects.
            features: a cache of feature maps: images with maps in it are not requested, maps of others are added.
        """
        side = self.image_size // 4
        state: State = {
            "images": frames,
            "num_frames": frame_count,
            "offload_video_to_cpu": True,
            "offload_state_to_cpu": False,
            # prompts are normalised and masks stay at the logits' size, so upstream works at this size
            "video_height": side,
            "video_width": side,
            "device": self.device,
            "storage_device": self.device,
            "point_inputs_per_obj": {},
            "mask_inputs_per_obj": {},
            "cached_features": {},
            "feature_cache": features,  # ours
            "constants": {},
            "obj_id_to_idx": {},
            "obj_idx_to_id": {},
            "obj_ids": [],
            "output_dict_per_obj": {},
            "temp_output_dict_per_obj": {},
            "frames_tracked_per_obj": {},
        }
        grid = self.image_size // self.backbone_stride
        state["shapes"] = {  # ours: shapes of the tensors in one object's output
            "maskmem_features": (1, self.mem_dim, grid, grid),
            "obj_ptr": (1, self.hidden_dim),
            "object_score_logits": (1, 1),
            "pred_masks": (1, 1, side, side),
        }
        for number in range(object_count):
            self._obj_id_to_idx(state, number)
        return state

    def conditioning(self, state: State, obj: int) -> dict[int, Output]:
        """Return an object's outputs on prompted frames by frame index; upstream's own dict."""
        outputs: dict[int, Output] = state["output_dict_per_obj"][obj]["cond_frame_outputs"]
        return outputs

    def tracked(self, state: State, obj: int) -> dict[int, Output]:
        """Return an object's outputs on tracked frames by frame index; upstream's own dict."""
        outputs: dict[int, Output] = state["output_dict_per_obj"][obj]["non_cond_frame_outputs"]
        return outputs

    def prompt(
        self,
        state: State,
        obj: int,
        index: int,
        *,
        points: Sequence[tuple[float, float]],
        labels: Sequence[int],
        box: tuple[float, float, float, float] | None,
        mask: torch.Tensor | None,
    ) -> None:
        """Prompt an object on a frame and encode the result into its memory: the frame becomes a conditioning frame.

        On a frame that was tracked before (see `track`), points correct the tracked mask; on others they stand alone.

        Args:
            state: as returned by `start`.
            obj: object index.
            index: frame index, from 0.
            points: (x, y), 0 to 1 of the plate's width and height.
            labels: one per point: 1 include, 0 exclude.
            box: (x0, y0, x1, y1), 0 to 1, or None.
            mask: bool (image_size, image_size), or None; points given with it correct it.
        """
        if mask is not None:
            self.add_new_mask(state, index, obj, mask)
        if len(points) > 0 or box is not None:
            # The prompt encoder adds half a model pixel, as if coordinates were pixel indices; ours are positions.
            half = 0.5 / self.image_size
            self.add_new_points_or_box(
                state,
                index,
                obj,
                points=torch.tensor(points, dtype=torch.float32).reshape(-1, 2) - half,
                labels=torch.tensor(labels, dtype=torch.int32),
                box=None if box is None else torch.tensor(box, dtype=torch.float32) - half,
                normalize_coords=False,
            )
        self._commit(state, obj)

    @contextlib.contextmanager
    def frame(self, state: State, index: int) -> Iterator[Lanes]:
        """Within it, objects are tracked into frame `index` and prompted there, each inside of `with lanes(obj)`.

        A GPU computes them beside each other then. So no object may read another one's tensors within it, and all that
        is computed within it belongs inside of lanes.
        """
        yield lambda obj: contextlib.nullcontext()

    def track(self, state: State, obj: int, index: int, *, reverse: bool, reads: Reads) -> Output:
        """Track an object into a frame without a prompt, from the outputs that it `reads`. Return its output."""
        return self._infer(state, index, reverse=reverse, reads=reads, encodes=True)

    def candidates(self, state: State, obj: int, index: int, *, reverse: bool, reads: Reads) -> list[Output]:
        """Return all outputs that `track` chooses from, without memories, by falling predicted IoU.

        A network that tracks with a single mask also gives its multimask candidates.
        """
        output = self._infer(state, index, reverse=reverse, reads=reads, encodes=False)
        masks, ious, tokens, score = self._decoded
        appears = (score > 0).float()
        weight = score.sigmoid() if self.soft_no_obj_ptr else appears
        found = []
        for number in range(1 if self._tracks_with_several else 0, masks.shape[1]):
            mask = torch.where(appears[..., None, None] > 0, masks[:, number : number + 1], NO_OBJ_SCORE).float()
            token = number if self._tracks_with_several and self.use_multimask_token_for_obj_ptr else 0
            # as SAM2Base._forward_sam_heads does for the mask that it chooses
            pointer = self.obj_ptr_proj(tokens[:, token])
            pointer = (weight * pointer if self.fixed_no_obj_ptr else pointer) + (1 - weight) * self.no_obj_ptr
            found.append(output | {"pred_masks": mask, "iou": ious[:, number], "obj_ptr": pointer})
        return sorted(found, key=lambda candidate: -float(candidate["iou"]))

    def _infer(self, state: State, index: int, *, reverse: bool, reads: Reads, encodes: bool) -> Output:
        """Return the output of a frame without a prompt; with `encodes`, including its memory."""
        output: Output
        output, _ = self._run_single_frame_inference(
            inference_state=state,
            output_dict=reads,
            frame_idx=index,
            batch_size=1,
            is_init_cond_frame=False,
            point_inputs=None,
            mask_inputs=None,
            reverse=reverse,
            run_mem_encoder=encodes,
        )
        return output

    def encode(self, state: State, index: int, output: Output, *, is_prompted: bool = False) -> None:
        """Add the memory to an output."""
        side = (self.image_size, self.image_size)
        masks = output["pred_masks"].to(state["device"])
        output["maskmem_features"], output["maskmem_pos_enc"] = self._run_memory_encoder(
            inference_state=state,
            frame_idx=index,
            batch_size=1,
            high_res_masks=torch.nn.functional.interpolate(masks, side, mode="bilinear", align_corners=False),
            object_score_logits=output["object_score_logits"],
            is_mask_from_pts=is_prompted,
        )

    def other_masks(self) -> list[NDArray[np.bool_]]:
        """Return the masks (h, w) decoded on the last tracked frame, without the one that was chosen."""
        masks, ious = self._decoded[0][0], self._decoded[1][0]
        chosen = 1 + int(ious[1:].argmax()) if self._tracks_with_several else 0
        return [(masks[number] > 0).cpu().numpy() for number in range(1, len(masks)) if number != chosen]

    @property
    def _tracks_with_several(self) -> bool:
        return bool(self._use_multimask(False, None))

    def correct(self, state: State, obj: int, index: int, output: Output, *, reverse: bool, reads: Reads) -> None:
        """Make the next prompt on frame `index` correct its `output`, given what that was tracked from."""
        tracked = self.tracked(state, obj)
        tracked.clear()
        tracked.update(reads["non_cond_frame_outputs"] | {index: output})
        state["frames_tracked_per_obj"][obj] = {index: {"reverse": reverse}}

    def _commit(self, state: State, obj: int) -> None:
        """Encode the last prompt into memory: propagate_in_video_preflight for one object."""
        prompted = state["temp_output_dict_per_obj"][obj]["cond_frame_outputs"]
        for index, output in prompted.items():
            self.encode(state, index, output, is_prompted=True)
            self.conditioning(state, obj)[index] = output
            self.tracked(state, obj).pop(index, None)
        prompted.clear()

    def _get_image_feature(self, inference_state: State, frame_idx: int, batch_size: int) -> Any:
        cache: Features | None = inference_state["feature_cache"]
        if cache is None or frame_idx in inference_state["cached_features"]:
            return super()._get_image_feature(inference_state, frame_idx, batch_size)
        maps = cache.get(frame_idx + 1, self.device)
        if maps is not None:
            position_encoding = self.image_encoder.neck.position_encoding
            features = {
                "backbone_fpn": maps,
                "vision_pos_enc": [position_encoding(level).to(level.dtype) for level in maps],
            }
            image = torch.empty(1, 1, 1, 1)  # passed on, never read
            inference_state["cached_features"] = {frame_idx: (image, features)}
        result = super()._get_image_feature(inference_state, frame_idx, batch_size)
        if maps is None:
            cache.put(frame_idx + 1, inference_state["cached_features"][frame_idx][1]["backbone_fpn"])
        return result

    def _prepare_memory_conditioned_features(self, *args: Any, **kwargs: Any) -> Any:
        """Convert memories to float16 where needed: upstream keeps them in bfloat16, which float16's autocast does not
        combine.
        """
        if torch.is_autocast_enabled(self.device.type) and torch.get_autocast_dtype(self.device.type) == torch.float16:
            for outputs in (kwargs["output_dict"][kind] for kind in ("cond_frame_outputs", "non_cond_frame_outputs")):
                for output in outputs.values():
                    if output.get("maskmem_features") is not None:
                        output["maskmem_features"] = output["maskmem_features"].to(torch.float16)
        return super()._prepare_memory_conditioned_features(*args, **kwargs)

    def _build_sam_heads(self) -> None:
        super()._build_sam_heads()
        predict_masks = self.sam_mask_decoder.predict_masks

        def keeping(*args: Any, **kwargs: Any) -> Any:
            self._decoded = predict_masks(*args, **kwargs)
            return self._decoded

        self.sam_mask_decoder.predict_masks = keeping

    def _forward_sam_heads(
        self,
        backbone_features: torch.Tensor,
        point_inputs: Any = None,
        mask_inputs: Any = None,
        high_res_features: Any = None,
        multimask_output: bool = False,
    ) -> tuple[torch.Tensor, ...]:
        """Call upstream's; without a prompt, append everything that the decoder has found (see `_track_step`)."""
        found: tuple[torch.Tensor, ...] = super()._forward_sam_heads(
            backbone_features, point_inputs, mask_inputs, high_res_features, multimask_output
        )
        return found if point_inputs is not None or mask_inputs is not None else (*found, *self._decoded)

    def _track_step(self, *args: Any, **kwargs: Any) -> Any:
        current, found, *features = super()._track_step(*args, **kwargs)
        found, self._decoded = found[:_SAM_OUTPUTS], found[_SAM_OUTPUTS:]
        self._ious = found[2].amax(dim=-1)  # (multimasks, high-res multimasks, ious, ...)
        return current, found, *features

    def _run_single_frame_inference(self, *args: Any, **kwargs: Any) -> Any:
        output, masks = super()._run_single_frame_inference(*args, **kwargs)
        output["iou"] = (
            self._ious
        )  # (n,), one per object; left on the device, since reading it would wait for the frame
        return output, masks
