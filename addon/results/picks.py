"""What was found without a click, as Blender reads it: files by name, and the mask of a segment.

Knows neither bpy nor torch; needs the numpy that comes with Blender. On disk (engine/automatic) `found.json` has the
folder of each label, which is one of the matte store; of segments, `index/000001.json` has all masks of a frame.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..contract.automatic import number_of
from ..contract.rle import Rle
from .take_reader import matte_file

_DAMAGED = (OSError, ValueError, KeyError, TypeError)


def label_files(folder: Path, frame: int, picked: Collection[int]) -> dict[str, Path]:
    """The matte of each label, whether it is there or not; of those picked, if any are."""
    file = folder / "found.json"
    try:
        places = _read(file, file.stat().st_mtime_ns)
    except _DAMAGED:
        return {}
    wanted = {name: place for name, place in places.items() if not picked or number_of(name) in picked}
    return {name: matte_file(folder / place, frame) for name, place in wanted.items()}


def segment_files(folder: Path, frame: int, picked: Collection[int]) -> dict[str, Path]:
    """The frame's index for each segment that is picked: there may be hundreds of others."""
    return {f"segment {number}": folder / "index" / f"{frame:06d}.json" for number in picked}


def read_segment(index: Path, number: int) -> NDArray[np.float32] | None:
    """As mattes.read_logits, of one segment of a frame's index; None if it is not on the frame."""
    try:
        segments = _read(index, index.stat().st_mtime_ns)["segments"]
        found = next((each["segmentation"] for each in segments if each["id"] == number), None)
        return None if found is None else np.where(Rle.from_coco(found).mask(), 1, -1).astype(np.float32)
    except _DAMAGED:
        return None


@functools.lru_cache(maxsize=4)
def _read(file: Path, changed: int) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return data
