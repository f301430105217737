"""Carries mattes from known frames into a stretch between them, by SAM 2 and by optical flow.

Comparing the results from both sides tells right from wrong without a network that knows which is which: trackers that
come from opposite ends make different errors.

Mattes are float32 (SIDE, SIDE), 0 to 1, resized from the plate's aspect ratio to a square, as the model sees them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..footage.footage import Reader
from ..sam2.predictor import Predictor
from ..sam2.prompting import Images
from ..store.feature_cache import FeatureCache
from ..store.matte_store import Matte
from ..tracking.memory_policy import Tracker
from ..tracking.memory_sam2 import Latest

SIDE = 512  # pixels; at 256 the flow loses 1 to 3 points of IoU per frame
Soft = NDArray[np.float32]


def soft(matte: Matte) -> Soft:
    """Convert a stored matte to float32 (SIDE, SIDE), 0 to 1."""
    return _shares(matte.logits.astype(np.float32))


def _shares(logits: NDArray[np.float32]) -> Soft:
    large = cv2.resize(logits, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    return np.asarray(1 / (1 + np.exp(-np.clip(large, -30, 30))), np.float32)


def tracked(
    predictor: Predictor,
    reader: Reader,
    frame_count: int,
    features: FeatureCache,
    anchors: Mapping[int, Soft],
    frames: Sequence[int],
    on_frame: Callable[[int], None] = lambda frame: None,
) -> dict[int, Soft]:
    """Track the subject through `frames`, given its mattes on others; call inside `Loaded.computing()`.

    Args:
        predictor: the model.
        reader, frame_count, features: the footage.
        anchors: known mattes by clip frame; each becomes a prompt.
        frames: consecutive clip frames, rising or falling, away from an anchor.
        on_frame: called before each of them.

    Raises:
        FootageError: a frame can't be read.
        Cancelled: raised by `on_frame`.
    """
    state = predictor.start(Images(reader, predictor), frame_count, 1, features)
    for frame in sorted(anchors):
        side = predictor.image_size
        mask = cv2.resize(anchors[frame], (side, side), interpolation=cv2.INTER_LINEAR) >= 0.5
        predictor.prompt(state, 0, frame - 1, points=[], labels=[], box=None, mask=torch.from_numpy(mask))
    policy = Latest(Tracker(predictor, state, 0, frames[0] > frames[-1]))
    found = {}
    for frame in frames:
        on_frame(frame)
        outputs = policy.track(frame - 1)
        policy.remember(frame - 1, outputs)
        found[frame] = _shares(outputs[0]["pred_masks"][0, 0].float().cpu().numpy())
    return found


def iou(one: Soft | NDArray[np.bool_], other: Soft | NDArray[np.bool_]) -> float:
    """Return the intersection over union of two mattes or masks at threshold 0.5; 1 if both are empty."""
    a, b = one >= 0.5, other >= 0.5
    union = int((a | b).sum())
    return float((a & b).sum() / union) if union else 1.0


class Flow:
    """Follows the picture between neighbouring frames by dense inverse search (Kroeger et al., ECCV 2016; OpenCV's
    DIS).

    grid: float32 (SIDE, SIDE, 2): the (x, y) of each pixel.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._pictures: dict[int, NDArray[np.uint8]] = {}
        self.grid = np.stack(np.meshgrid(*[np.arange(SIDE, dtype=np.float32)] * 2), axis=-1)

    def moved(self, images: Mapping[int, NDArray[np.float32]], before: int, frame: int) -> dict[int, Any]:
        """Move images from clip frame `before` to its neighbour `frame`, by their keys. Raises FootageError.

        An image is float32 (SIDE, SIDE) or (SIDE, SIDE, 2): a matte, or the places of its pixels in another frame.
        """
        there, here = (cv2.cvtColor(self.picture(one), cv2.COLOR_RGB2GRAY) for one in (before, frame))
        at = self.grid + self._search.calc(here, there, None)  # type: ignore[call-overload]
        return {
            key: cv2.remap(image, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
            for key, image in images.items()
        }

    def picture(self, frame: int) -> NDArray[np.uint8]:
        """Return a clip frame, uint8 (SIDE, SIDE, 3) RGB. Raises FootageError."""
        if frame not in self._pictures:
            for old in [other for other in self._pictures if abs(other - frame) > 1]:
                del self._pictures[old]
            self._pictures[frame] = self._reader.model_input(frame, SIDE)
        return self._pictures[frame]
