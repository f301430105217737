"""Decides whether to cache image features: always on a CPU (seconds against milliseconds); on a GPU by measurement."""

from __future__ import annotations

import time

import numpy as np
import torch

from ..footage.footage import Reader, decoding_threads
from ..sam2.model import Loaded
from ..sam2.prompting import normalise
from ..store.feature_cache import FeatureCache, Maps

_RUNS = 30  # runs of the encoder; the first ones are slower, until its CUDA graph is recorded
_PATIENCE = 1.0  # seconds after which fewer runs suffice: reading is faster than such a slow encoder anyway
_PROBE = 0  # a frame number that no clip has


def is_worth_reading(features: FeatureCache, loaded: Loaded, reader: Reader, frame: int, ahead: int) -> bool:
    """Whether a frame's features are read from disk faster than they are computed.

    Results do not depend on the answer: the features that are read equal those that were computed, bit for bit.

    Args:
        features: the cache.
        loaded: the model.
        reader: the footage.
        frame: a clip frame that may be decoded, to measure that, too; frames with cached features need no decoding.
        ahead: number of frames that are decoded ahead.

    Raises:
        FootageError: the frame can't be read.
    """
    if not loaded.source.is_gpu:
        return True
    predictor = loaded.predictor
    side: int = predictor.image_size
    with loaded.computing():
        image = normalise(np.zeros((side, side, 3), np.uint8), predictor.device)[None]
        first = time.perf_counter()
        encoding, maps = _encode(loaded, image)
        for _ in range(_RUNS):
            if time.perf_counter() - first > _PATIENCE:
                break
            encoding, maps = _encode(loaded, image)
        features.put(_PROBE, maps)
        began = time.perf_counter()
        found = features.get(_PROBE, predictor.device)
        if found is not None:
            _wait(found)
        reading = time.perf_counter() - began
        features.forget(_PROBE)
    if found is None or reading < encoding:  # None: the cache is full
        return True
    began = time.perf_counter()
    reader.model_input(frame, side)
    return reading < (time.perf_counter() - began) / decoding_threads(ahead)


def _encode(loaded: Loaded, image: torch.Tensor) -> tuple[float, Maps]:
    """Return the seconds of encoding an image, and its features."""
    began = time.perf_counter()
    maps: Maps = loaded.predictor.forward_image(image)["backbone_fpn"]
    _wait(maps)
    return time.perf_counter() - began, maps


def _wait(maps: Maps) -> None:
    """Wait until the device has computed the maps, by reading a value."""
    maps[-1].flatten()[0].item()
