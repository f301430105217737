"""SAM 2's image encoder, memory attention, decoder and memory encoder, each run as a CUDA graph.

What is between them (choosing the frames that are attended to, joining their memories) changes from frame to frame and
is not recorded.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from sam2.modeling import memory_attention
from torch import Tensor, nn

from ..predictor import Lanes, Predictor, State
from .graphs import Graphs, Tensors

_CAST = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)  # what autocast computes in the shorter type, of what has weights


def cast_weights(network: nn.Module, dtype: torch.dtype) -> None:
    """Convert weights once to the type that autocast would convert them to before each use. Results are bit-identical.

    After this `network` works only inside autocast of this type. All other parameters stay float32, as in autocast.
    """
    for module in network.modules():
        if isinstance(module, _CAST):
            module.to(dtype)


def use_graphs(predictor: Predictor, graphs: Graphs) -> None:
    """Let a predictor run its parts as graphs while it tracks. Prompted frames are few and are not recorded."""
    for module, by_graphs in ((predictor, GraphPredictor), (predictor.memory_attention, GraphMemoryAttention)):
        module.__class__ = by_graphs
        module.graphs = graphs


class GraphMemoryAttention(memory_attention.MemoryAttention):  # type: ignore[misc]  # sam2 is untyped
    """sam2's, with one graph for each length of the memory."""

    graphs: Graphs

    def forward(
        self,
        curr: list[Tensor],
        memory: Tensor,
        curr_pos: list[Tensor],
        memory_pos: Tensor,
        num_obj_ptr_tokens: int = 0,
    ) -> Tensor:
        """Compute the same as upstream's, for one image: (n, 1, c), n positions, from m memories (m, 1, d)."""

        def attend(image: Tensor, memory: Tensor, image_pos: Tensor, memory_pos: Tensor) -> Tensors:
            return (self._attend(image, memory, image_pos, memory_pos, num_obj_ptr_tokens),)

        (image,), (image_pos,) = curr, curr_pos
        part = "memory attention", num_obj_ptr_tokens
        return self.graphs.run(part, attend, image, memory, image_pos, memory_pos)[0]

    _attend = memory_attention.MemoryAttention.forward


class GraphPredictor(Predictor):
    """A predictor whose parts are graphs."""

    graphs: Graphs
    _positions: dict[object, list[Tensor]]

    @contextlib.contextmanager
    def frame(self, state: State, index: int) -> Iterator[Lanes]:
        """See Predictor.frame. All objects read the image's features, so these are made before lanes begin."""
        if len(state["obj_ids"]) < 2 or not self.graphs.run_beside:
            with super().frame(state, index) as lanes:
                yield lanes
            return
        self._get_image_feature(state, index, 1)
        try:
            yield self.graphs.beside
        finally:
            self.graphs.join()

    def forward_image(self, img_batch: Tensor) -> dict[str, Any]:
        """Compute the same as upstream's. Position encodings are the same for every frame, so they are made once and
        not copied.
        """
        encode = super().forward_image
        maps = list(self.graphs.run("image encoder", lambda image: tuple(encode(image)["backbone_fpn"]), img_batch))
        key = tuple((level.shape, level.dtype) for level in maps)
        kept = self.__dict__.setdefault("_positions", {})
        if key not in kept:
            encoding = self.image_encoder.neck.position_encoding
            kept[key] = [encoding(level).to(level.dtype) for level in maps]
        return {"vision_features": maps[-1], "vision_pos_enc": list(kept[key]), "backbone_fpn": maps}

    def _forward_sam_heads(
        self,
        backbone_features: Tensor,
        point_inputs: Any = None,
        mask_inputs: Any = None,
        high_res_features: Sequence[Tensor] | None = None,
        multimask_output: bool = False,
    ) -> Tensors:
        decode = super()._forward_sam_heads
        if point_inputs is not None or mask_inputs is not None:
            prompted: Tensors = decode(
                backbone_features, point_inputs, mask_inputs, high_res_features, multimask_output
            )
            return prompted

        def decoded(features: Tensor, *high_res: Tensor) -> Tensors:
            found: Tensors = decode(features, None, None, list(high_res) or None, multimask_output)
            return found

        return self.graphs.run(("decoder", multimask_output), decoded, backbone_features, *(high_res_features or ()))

    def _encode_new_memory(
        self,
        current_vision_feats: Sequence[Tensor],
        feat_sizes: Any,
        pred_masks_high_res: Tensor,
        object_score_logits: Tensor,
        is_mask_from_pts: bool,
    ) -> tuple[Tensor, list[Tensor]]:
        encode = super()._encode_new_memory

        def encoded(features: Tensor, masks: Tensor, scores: Tensor) -> Tensors:
            memory, positions = encode([features], feat_sizes, masks, scores, is_mask_from_pts)
            return memory, *positions

        memory, *positions = self.graphs.run(
            ("memory encoder", is_mask_from_pts),
            encoded,
            current_vision_feats[-1],
            pred_masks_high_res,
            object_score_logits,
        )
        return memory, positions
