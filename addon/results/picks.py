"""Readers of the results of a search, for Blender: the files of things and parts, and the mask of a part.

Uses the numpy that comes with Blender, but neither bpy nor torch. contract/layout.py describes the files.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..contract.automatic import number_of, part_name, thing_name
from ..contract.boundary import read_or
from ..contract.layout import FOUND_FILE, PARTS_KEY, matte_file, parts_file
from ..contract.rle import Rle


def thing_files(folder: Path, frame: int, picked: Collection[int]) -> dict[str, Path]:
    """The matte files of things on a clip frame, by object name; the files need not exist.

    Args:
        folder: the folder of the search's results.
        frame: the clip frame.
        picked: numbers of the picked things; if it is empty, all things are returned.
    """
    file = folder / FOUND_FILE

    def read() -> dict[str, Path]:
        places = _read(file, file.stat().st_mtime_ns)
        numbers = {number_of(name): place for name, place in places.items()}
        wanted = {number: place for number, place in numbers.items() if not picked or number in picked}
        return {thing_name(number): matte_file(folder / place, frame) for number, place in wanted.items()}

    return read_or({}, read)


def part_files(folder: Path, frame: int, picked: Collection[int]) -> dict[str, Path]:
    """The index file of a clip frame for each picked part, by object name. Other parts are left out: there are many."""
    return {part_name(number): parts_file(folder, frame) for number in picked}


def read_part(index: Path, number: int) -> NDArray[np.float32] | None:
    """The mask of one part in a frame's index, in the form of `take_reader.read_logits`; None if it is not there."""

    def read() -> NDArray[np.float32] | None:
        parts = _read(index, index.stat().st_mtime_ns)[PARTS_KEY]
        found = next((part["segmentation"] for part in parts if part["id"] == number), None)
        return None if found is None else np.where(Rle.from_coco(found).mask(), 1, -1).astype(np.float32)

    return read_or(None, read)


@functools.lru_cache(maxsize=4)
def _read(file: Path, changed: int) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return data
