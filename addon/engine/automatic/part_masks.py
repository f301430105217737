"""The results of parts.py: masks per frame as COCO RLE, with ids that are the same on all frames.

contract/layout.py describes the files.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from ...contract.boundary import reading
from ...contract.disk import write_data, writing
from ...contract.errors import OutputError
from ...contract.layout import PARTS_KEY, frame_name, parts_file
from ...contract.rle import Rle
from ..store.matte_store import Matte, Take
from .grid import Mask, resized, to_logits

_CHECKSUM = "crc32"  # of the JSON of all other members


@dataclass(frozen=True, slots=True)
class PartMasks:
    """All parts of a clip. folder: the folder that contains `index`."""

    folder: Path

    @staticmethod
    def resolved(folder: Path, frames: Iterable[int], links: dict[int, int], keys: Collection[int]) -> PartMasks:
        """Combine the forward and backward masks under their final ids. Raises OutputError."""
        for frame in frames:
            masks: dict[int, Mask] = {}
            for kind in ("forward", "backward"):
                for id_, mask, _ in read_masks(folder / kind / frame_name(frame, ".json"), None):
                    while id_ in links:
                        id_ = links[id_]
                    masks[id_] = masks[id_] | mask if id_ in masks else mask
            found = {id_: Rle.of(mask) for id_, mask in masks.items()}
            found = dict(sorted(found.items(), key=lambda item: (-item[1].area, item[0])))
            write_masks(parts_file(folder, frame), found, frame=frame, key=frame in keys)
        return PartMasks(folder)

    def document(self, frame: int) -> dict[str, Any]:
        """The content of a frame's index file. Raises OutputError."""
        return _read(self._file(frame))

    def ids(self, frames: Iterable[int]) -> dict[int, int]:
        """The number of frames per id, in the order of ids. Raises OutputError."""
        count: dict[int, int] = {}
        for frame in frames:
            with _reading(self._file(frame)):
                for segment in self.document(frame)[PARTS_KEY]:
                    count[int(segment["id"])] = count.get(segment["id"], 0) + 1
        return dict(sorted(count.items()))

    def masks(self, frame: int) -> dict[int, Mask]:
        """The masks of a frame by id, the largest first. Raises OutputError."""
        return {id_: mask for id_, mask, _ in read_masks(self._file(frame), None)}

    def id_image(self, frame: int, width: int, height: int) -> NDArray[np.uint16]:
        """An image (height, width) with the id of the smallest part at every pixel, or 0. Raises OutputError."""
        masks = self.masks(frame)
        image = np.zeros(next((mask.shape for mask in masks.values()), (1, 1)), np.uint16)
        for id_, mask in masks.items():
            image[mask] = id_
        return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST), np.uint16)

    def take(self, id_: int, frames: Iterable[int]) -> Take:
        """The mattes of one part, for export. They are made once. Raises OutputError."""
        take = Take(self.folder / f"part-{id_:05d}")
        for frame in frames:
            if not take.has_matte(frame):
                masks = self.masks(frame)
                if id_ in masks:
                    take.put_matte(frame, Matte(to_logits(masks[id_]), 1.0, 1.0))
        return take

    def _file(self, frame: int) -> Path:
        return parts_file(self.folder, frame)


def write_masks(file: Path, masks: dict[int, Rle], *, frame: int, key: bool = False) -> None:
    """Write masks by id, in the given order. Raises OutputError."""
    size = next(([mask.height, mask.width] for mask in masks.values()), None)
    segments = [{"id": id_, "area": mask.area, "segmentation": mask.to_coco()} for id_, mask in masks.items()]
    data = {"frame": frame, "key": key, "size": size, PARTS_KEY: segments}
    text = json.dumps({**data, _CHECKSUM: _checksum_of(data)}).encode()
    with writing(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_data(file, text, sync=False)


def read_masks(file: Path, size: tuple[int, int] | None) -> list[tuple[int, Mask, int]]:
    """Read (id, mask, area) in the file's order, with masks resized to `size`. Raises OutputError."""
    found = []
    with _reading(file):
        for segment in _read(file)[PARTS_KEY]:
            mask = Rle.from_coco(segment["segmentation"]).mask()
            found.append((int(segment["id"]), mask if size is None else resized(mask, size), int(segment["area"])))
    return found


def _reading(file: Path) -> AbstractContextManager[None]:
    hint = "Delete the folder `work` and run it again."
    return reading(OutputError, "What was found is damaged", where=str(file), hint=hint)


def _read(file: Path) -> dict[str, Any]:
    """Read and check a file that `write_masks` wrote. Raises OutputError."""
    with _reading(file):
        data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        # files of earlier releases have no checksum
        if data.pop(_CHECKSUM, None) not in (None, _checksum_of(data)):
            raise ValueError("its checksum is another")
        return data


def _checksum_of(data: dict[str, Any]) -> int:
    return isal_zlib.crc32(json.dumps(data).encode())
