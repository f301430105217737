"""All masks of a picture without prompts, as upstream's SAM2AutomaticMaskGenerator makes them.

The input is a picture, uint8 (H, W, 3) sRGB. The output are `AutomaticMask`s, best first within a crop, smaller crops
first.

The model is prompted with every point of a grid and returns three masks for each. Masks that are uncertain, unstable or
cut by a crop's border are dropped, then duplicates by their boxes (Kirillov et al., Segment Anything, 2023, appendix
B). Names, defaults and arithmetic are upstream's. The differences: torchvision is not needed, masks are dropped before
they are enlarged, small regions are cleaned without a CUDA extension, and masks are at most `MASK_SIDE` pixels wide or
high, so that memory does not grow with the plate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ...contract.errors import Cancelled
from ...contract.rle import Rle
from ..sam2.image_predictor import EncodedPicture
from ..sam2.predictor import Predictor

MASK_SIDE = 1024
_AT_ONCE = 16  # number of masks that are enlarged together: 64 MB of logits at MASK_SIDE
_EDGE = 20.0  # pixels: a mask that ends this close to a crop's border counts as cut
_FILLED = 10.0  # absolute logit of cleaned pixels
_CLAMP = 32.0  # bound of logits that are used as mask prompts


@dataclass(frozen=True, slots=True)
class Settings:
    """Upstream's parameters with its names and defaults."""

    points_per_side: int = 32
    points_per_batch: int = 64
    pred_iou_thresh: float = 0.8
    stability_score_thresh: float = 0.95
    stability_score_offset: float = 1.0
    mask_threshold: float = 0.0
    box_nms_thresh: float = 0.7
    crop_n_layers: int = 0
    crop_nms_thresh: float = 0.7
    crop_overlap_ratio: float = 512 / 1500
    crop_n_points_downscale_factor: int = 1
    min_mask_region_area: int = 0
    use_m2m: bool = False
    multimask_output: bool = True


@dataclass(frozen=True, slots=True)
class AutomaticMask:
    """One mask. Lengths and areas are pixels of the picture.

    segmentation: the mask, at the picture's size or scaled down to MASK_SIDE.
    area: area of the mask.
    bbox: (x, y, width, height) as upstream defines it, between pixel centres.
    predicted_iou: the model's own estimate, 0..1.
    point: the prompt (x, y).
    stability_score: IoU of the mask thresholded a little higher and a little lower, 0..1.
    crop_box: (x, y, width, height) of the crop in which the mask was found.
    """

    segmentation: Rle
    area: float
    bbox: tuple[float, float, float, float]
    predicted_iou: float
    point: tuple[float, float]
    stability_score: float
    crop_box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class _Found:
    """An intermediate mask. Boxes are (x0, y0, x1, y1); all values are in pixels of the scaled picture."""

    mask: Rle
    box: tuple[float, float, float, float]
    iou: float
    point: tuple[float, float]
    stability: float
    crop: tuple[int, int, int, int]


def generate(
    predictor: Predictor,
    picture: NDArray[np.uint8],
    settings: Settings,
    *,
    points: NDArray[np.float64] | None = None,
    cancelled: Callable[[], None] = lambda: None,
) -> list[AutomaticMask]:
    """Find all masks of a picture.

    Args:
        predictor: the model; called inside `Loaded.computing()`.
        picture: uint8 (H, W, 3) sRGB, upright.
        settings: upstream's parameters.
        points: (n, 2), x and y in 0..1: used in every crop instead of the grid (upstream's `point_grids`).
        cancelled: called between two batches; it raises an exception to stop.
    """
    height, width = picture.shape[:2]
    scale = min(1.0, MASK_SIDE / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    boxes, layers = crop_boxes(size, settings.crop_n_layers, settings.crop_overlap_ratio)
    found: list[_Found] = []
    for box, layer in zip(boxes, layers, strict=True):
        grid = points
        if grid is None:
            grid = point_grid(int(settings.points_per_side / settings.crop_n_points_downscale_factor**layer))
        crop = _crop(picture, box, size)
        inside = _Crop(predictor, crop, box, size, settings, cancelled)
        found += inside.masks(grid)
    if len(boxes) > 1:
        areas = np.array([(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (mask.crop for mask in found)], np.float32)
        found = [found[i] for i in nms(_boxes(found), np.float32(1) / areas, settings.crop_nms_thresh)]
    return [_public(mask, width / size[1], height / size[0]) for mask in found]


class _Crop:
    """A crop of the picture, whose image features are computed once."""

    def __init__(
        self,
        predictor: Predictor,
        pixels: NDArray[np.uint8],
        box: tuple[int, int, int, int],
        size: tuple[int, int],
        settings: Settings,
        cancelled: Callable[[], None],
    ) -> None:
        self._predictor = predictor
        self._box = box
        self._picture = size
        self._size = (box[3] - box[1], box[2] - box[0])
        self._settings = settings
        self._cancelled = cancelled
        self._encoded = EncodedPicture(predictor, pixels)

    def masks(self, grid: NDArray[np.float64]) -> list[_Found]:
        """The masks for the points of `grid`, (n, 2) in 0..1 of the crop, without duplicates, best first."""
        found: list[_Found] = []
        batch = self._settings.points_per_batch
        for start in range(0, len(grid), batch):
            self._cancelled()
            found += self._batch(grid[start : start + batch])
        scores = np.array([mask.iou for mask in found], np.float32)
        return [found[i] for i in nms(_boxes(found), scores, self._settings.box_nms_thresh)]

    def _batch(self, points: NDArray[np.float64]) -> Iterator[_Found]:
        settings = self._settings
        places = torch.as_tensor(
            points * self._predictor.image_size, dtype=torch.float32, device=self._predictor.device
        )
        logits, ious = self._decode(places, None, settings.multimask_output)
        per_point = logits.shape[1]
        logits, ious = logits.flatten(0, 1), ious.flatten(0, 1)
        places = places.repeat_interleave(per_point, dim=0)
        if settings.use_m2m:
            logits, ious = self._refine(places, logits)
        asked = np.repeat(points, per_point, axis=0) * self._size[::-1] + self._box[:2]
        if settings.pred_iou_thresh > 0:
            kept = ious > settings.pred_iou_thresh
            logits, ious, asked = logits[kept], ious[kept], asked[kept.cpu().numpy()]
        if settings.min_mask_region_area > 0:
            logits = _clean(logits, settings.mask_threshold, settings.min_mask_region_area)
        for start in range(0, len(logits), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            yield from self._enlarge(logits[part], ious[part], asked[part])

    def _decode(
        self, places: torch.Tensor, masks: torch.Tensor | None, multimask: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (n, m, h, w) and predicted IoUs (n, m) for n include points in pixels of the model's input."""
        labels = torch.ones((len(places), 1), dtype=torch.int32, device=places.device)
        return self._encoded.decode(places[:, None], labels, masks, multimask=multimask)

    def _refine(self, places: torch.Tensor, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Refine the masks by prompting once more with the masks themselves (upstream's m2m)."""
        batch = self._settings.points_per_batch
        parts = [
            self._decode(places[i : i + batch], logits[i : i + batch, None].clamp(-_CLAMP, _CLAMP), False)
            for i in range(0, len(places), batch)
        ]
        return torch.cat([part[0] for part in parts])[:, 0], torch.cat([part[1] for part in parts])[:, 0]

    def _enlarge(self, logits: torch.Tensor, ious: torch.Tensor, asked: NDArray[np.float64]) -> Iterator[_Found]:
        settings = self._settings
        large = torch.nn.functional.interpolate(logits[None], self._size, mode="bilinear", align_corners=False)[0]
        offset = settings.stability_score_offset
        inner = _areas(large > settings.mask_threshold + offset)
        outer = _areas(large > settings.mask_threshold - offset)
        stability = inner / outer  # NaN for an empty mask, which counts as unstable
        for i in range(len(large)):
            if settings.stability_score_thresh > 0 and not stability[i] >= settings.stability_score_thresh:
                continue
            mask = (large[i] > settings.mask_threshold).cpu().numpy()
            box = _offset(_box_of(mask), self._box)
            if _is_cut(box, self._box, (0, 0, self._picture[1], self._picture[0])):
                continue
            x, y = asked[i]
            whole = Rle.of(_pad(mask, self._box, self._picture))
            yield _Found(whole, box, float(ious[i]), (float(x), float(y)), float(stability[i]), self._box)


def stopping(cancelled: Callable[[], bool], words: str = "") -> Callable[[], None]:
    """Return a function for `generate` that raises Cancelled with `words` when `cancelled` returns True."""

    def ask() -> None:
        if cancelled():
            raise Cancelled(words) if words else Cancelled()

    return ask


def point_grid(n_per_side: int) -> NDArray[np.float64]:
    """A regular grid of points, (n * n, 2), x and y in 0..1, row by row."""
    line = np.linspace(1 / (2 * n_per_side), 1 - 1 / (2 * n_per_side), n_per_side)
    x, y = np.meshgrid(line, line)
    return np.stack([x, y], axis=-1).reshape(-1, 2)


def crop_boxes(
    size: tuple[int, int], n_layers: int, overlap_ratio: float
) -> tuple[list[tuple[int, int, int, int]], list[int]]:
    """The boxes (x0, y0, x1, y1) of the picture itself and of 2**i x 2**i overlapping crops in layer i."""
    height, width = size
    boxes, layers = [(0, 0, width, height)], [0]
    for layer in range(1, n_layers + 1):
        side = 2**layer
        overlap = int(overlap_ratio * min(size) * (2 / side))
        w, h = (math.ceil((overlap * (side - 1) + length) / side) for length in (width, height))
        for i in range(side):
            for j in range(side):
                x, y = (w - overlap) * i, (h - overlap) * j
                boxes.append((x, y, min(x + w, width), min(y + h, height)))
                layers.append(layer)
    return boxes, layers


def nms(boxes: NDArray[np.float32], scores: NDArray[np.float32], threshold: float) -> list[int]:
    """Non-maximum suppression of boxes (n, 4). Returns the kept indices, best first, as torchvision.ops.nms does."""
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    left = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        low = np.maximum(boxes[best, :2], boxes[left, :2])
        high = np.minimum(boxes[best, 2:], boxes[left, 2:])
        shared = np.clip(high - low, 0, None).prod(axis=1)
        with np.errstate(invalid="ignore"):  # for two boxes without area, 0 / 0 suppresses nothing
            left = left[~(shared / (areas[best] + areas[left] - shared) > threshold)]
    return kept


def _areas(masks: torch.Tensor) -> torch.Tensor:
    """The areas (n,) of masks (n, h, w) in pixels. torch.sum would convert to int64 and take longer than the model."""
    return torch.stack([torch.count_nonzero(mask) for mask in masks])


def _clean(logits: torch.Tensor, threshold: float, area: int) -> torch.Tensor:
    """Fill holes and remove islands of at most `area` pixels of the logits, (n, h, w), as upstream's extension does."""
    cleaned = logits.cpu().numpy().copy()
    for mask in cleaned:
        for inside in (False, True):
            region = ((mask > threshold) == inside).astype(np.uint8)
            _, labels, stats, _ = cv2.connectedComponentsWithStats(region, connectivity=8)
            small = stats[:, cv2.CC_STAT_AREA] <= area
            small[0] = False
            mask[small[labels]] = threshold + (-_FILLED if inside else _FILLED)
    return torch.from_numpy(cleaned).to(logits.device)


def _crop(picture: NDArray[np.uint8], box: tuple[int, int, int, int], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Cut `box`, given in pixels of the scaled picture `size`, out of the picture."""
    height, width = picture.shape[:2]
    x0, x1 = (round(x * width / size[1]) for x in (box[0], box[2]))
    y0, y1 = (round(y * height / size[0]) for y in (box[1], box[3]))
    return picture[y0:y1, x0:x1]


def _box_of(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """The box (x0, y0, x1, y1) of the first and last column and row; zeros for an empty mask."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(columns):
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def _offset(box: tuple[int, int, int, int], crop: tuple[int, int, int, int]) -> tuple[float, float, float, float]:
    x, y = crop[:2]
    return box[0] + x, box[1] + y, box[2] + x, box[3] + y


def _is_cut(
    box: tuple[float, float, float, float], crop: tuple[int, int, int, int], picture: tuple[int, int, int, int]
) -> bool:
    """Whether a box ends at a border of its crop that is not a border of the picture."""
    return any(
        abs(a - b) <= _EDGE and not abs(a - whole) <= _EDGE for a, b, whole in zip(box, crop, picture, strict=True)
    )


def _pad(mask: NDArray[np.bool_], box: tuple[int, int, int, int], size: tuple[int, int]) -> NDArray[np.bool_]:
    whole = np.zeros(size, np.bool_)
    whole[box[1] : box[3], box[0] : box[2]] = mask
    return whole


def _boxes(found: list[_Found]) -> NDArray[np.float32]:
    return np.array([mask.box for mask in found], np.float32).reshape(-1, 4)


def _public(found: _Found, x_scale: float, y_scale: float) -> AutomaticMask:
    def xywh(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        x0, y0, x1, y1 = box
        return x0 * x_scale, y0 * y_scale, (x1 - x0) * x_scale, (y1 - y0) * y_scale

    return AutomaticMask(
        found.mask,
        found.mask.area * x_scale * y_scale,
        xywh(found.box),
        found.iou,
        (found.point[0] * x_scale, found.point[1] * y_scale),
        found.stability,
        xywh(found.crop),
    )
