"""Tracking of objects that appear and disappear, in batches with SAM 2's memory.

engine/tracking/propagate.py tracks a Job's own objects, all of which it knows in advance. Here, masks become objects
during the search. Objects that start on the same frame have memories of the same frames, so they are tracked as one
batch; the image features of a frame are computed once for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from ..footage import panorama
from ..footage.footage import Reader, read_ahead
from ..sam2.predictor import REACH, Output, Predictor
from ..sam2.prompting import Images

Mask = NDArray[np.bool_]
Logits = NDArray[np.float32]

BATCH = 16  # objects per batch
_READ_AHEAD = 4  # frames


@dataclass(slots=True)
class Group:
    """Objects with memories of the same frames: their ids, and upstream's output_dict with objects along the batch."""

    ids: list[int]
    outputs: dict[str, dict[int, Output]] = field(
        default_factory=lambda: {"cond_frame_outputs": {}, "non_cond_frame_outputs": {}}
    )

    @property
    def conditioning(self) -> dict[int, Output]:
        """The outputs of conditioning frames, by frame index."""
        return self.outputs["cond_frame_outputs"]

    @property
    def tracked(self) -> dict[int, Output]:
        """The outputs of tracked frames, by frame index."""
        return self.outputs["non_cond_frame_outputs"]

    def keep(self, ids: Sequence[int]) -> None:
        """Remove all objects except `ids`."""
        if list(ids) == self.ids:
            return
        rows = torch.tensor([self.ids.index(id_) for id_ in ids], dtype=torch.int64)  # an empty tensor would be float
        for outputs in self.outputs.values():
            for index, output in outputs.items():
                outputs[index] = _rows(output, rows)
        self.ids = list(ids)


class Tracker:
    """Tracks groups of objects on the current frame. Called inside `Loaded.computing()`; indices count from 0."""

    def __init__(self, predictor: Predictor, reader: Reader, frame_count: int) -> None:
        self.predictor = predictor
        self._reader = reader
        self._images = Images(reader, predictor)
        self._strip = panorama.strip_of(predictor.image_size) if reader.is_panorama else 0
        self.state = predictor.start(self._images, frame_count, 0)

    def visit(self, order: Iterable[int]) -> Iterator[int]:
        """Make each frame the current one in turn, and yield its index; frames are decoded ahead."""
        frames = (index + 1 for index in order)
        for frame, pixels in read_ahead(self._reader, frames, self.predictor.image_size, _READ_AHEAD):
            self._images.put(frame - 1, pixels)
            yield frame - 1

    def condition(self, group: Group, index: int, masks: NDArray[np.bool_]) -> None:
        """Set the masks of a group on frame `index`: bool (n, h, w), one mask of the plate per object.

        The mask itself becomes the frame's matte, and its memory is encoded (upstream's add_new_mask).
        """
        side = self.predictor.image_size
        given = torch.from_numpy(masks.astype(np.float32))[:, None]
        inside = (side, side - 2 * self._strip)
        if given.shape[-2:] != inside:
            given = torch.nn.functional.interpolate(given, inside, mode="bilinear", align_corners=False, antialias=True)
        if self._strip:
            given = torch.nn.functional.pad(given, (self._strip, self._strip, 0, 0), mode="circular")
        given = (given >= 0.5).float().to(self.predictor.device)
        output = self._run(group, index, given, reverse=False)
        large = torch.nn.functional.interpolate(
            output["pred_masks"], (side, side), mode="bilinear", align_corners=False
        )
        output["maskmem_features"], output["maskmem_pos_enc"] = self.predictor._run_memory_encoder(
            inference_state=self.state,
            frame_idx=index,
            batch_size=len(group.ids),
            high_res_masks=large,
            object_score_logits=output["object_score_logits"],
            is_mask_from_pts=True,
        )
        group.conditioning[index] = output
        group.tracked.pop(index, None)

    def track(self, group: Group, index: int, *, reverse: bool, remember: bool = True) -> Logits:
        """Track a group on frame `index`. Returns logits, float32 (n, s, s); of a panorama they are narrower.

        With `remember`, the memory of the frame is encoded, and memories that are out of reach are removed.
        """
        output = self._run(group, index, None, reverse=reverse, remember=remember)
        logits: Logits = output["pred_masks"][:, 0].float().cpu().numpy()
        if remember:
            group.tracked[index] = output | {"pred_masks": None}  # not read again
            for old in [other for other in group.tracked if abs(other - index) > REACH]:
                del group.tracked[old]
        return np.stack([panorama.narrow(of_one) for of_one in logits]) if self._strip else logits

    def _run(
        self, group: Group, index: int, masks: torch.Tensor | None, *, reverse: bool, remember: bool = False
    ) -> Output:
        output, _ = self.predictor._run_single_frame_inference(
            inference_state=self.state,
            output_dict=group.outputs,
            frame_idx=index,
            batch_size=len(group.ids),
            is_init_cond_frame=masks is not None,
            point_inputs=None,
            mask_inputs=masks,
            reverse=reverse,
            run_mem_encoder=remember,
        )
        result: Output = output
        return result


def _rows(output: Output, rows: torch.Tensor) -> Output:
    """An output with the objects `rows` alone. Values that are common to all objects do not change."""
    picked: Output = {}
    for key, value in output.items():
        if key == "maskmem_pos_enc":
            picked[key] = None if value is None else [encoding[: len(rows)] for encoding in value]
        elif isinstance(value, torch.Tensor):
            picked[key] = value[rows.to(value.device)]
        else:
            picked[key] = value
    return picked
