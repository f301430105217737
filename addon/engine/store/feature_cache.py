"""A cache on disk of image features, the image encoder's output, so that frames are not encoded again.

    <matte folder>/work/features/<key>/000012.pt    feature maps of clip frame 12, in the dtype of their computation

On a CPU the encoder is most of the work on a frame (on a GPU tracking/cache_speed.py measures it). Its output depends
on footage and model alone, never on prompts, and is read back bit for bit. The folder stays within a budget. Features
of other footage or another model are deleted first. When the budget is used up, no more features are added: a clip is
always read from one end to the other, so replacing the oldest ones would keep only features that are never read.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import torch

from ...contract.disk import discard, newest_first, patiently, write_file
from ...contract.job import Job
from ...contract.layout import frame_name, work_folder
from . import checked_file
from .matte_store import key_of

_VERSION = 3  # raise it when the features change, even by rounding

Maps = list[torch.Tensor]  # one tensor (1, C, H, W) per level of the pyramid, from fine to coarse


class FeatureCache:
    """The feature maps of one clip and one model."""

    def __init__(self, job: Job, fingerprint: str, model: dict[str, str]) -> None:
        """Open the cache of the Job's footage.

        Args:
            job: has the matte folder and the budget.
            fingerprint: the footage's fingerprint (Reader.fingerprint).
            model: the facts that decide the model's arithmetic (model.Source.facts).
        """
        key = key_of({"version": _VERSION, "footage": fingerprint, "model": model})
        self.folder = work_folder(job.matte_folder) / "features" / key[:20]
        self._budget = job.cache_megabytes * 1_000_000
        self._is_off = False
        self._used: int | None = None  # bytes; counted at the first `put`, which a preview seldom calls

    def __contains__(self, frame: int) -> bool:
        """Whether the cache has clip frame `frame`."""
        return not self._is_off and self._path(frame).exists()

    def switch_off(self) -> None:
        """Stop reading and writing features."""
        self._is_off = True

    def get(self, frame: int, device: torch.device) -> Maps | None:
        """The maps of clip frame `frame` on `device`; None if they are missing or damaged."""
        maps: Maps | None = None if self._is_off else checked_file.read(self._path(frame), device)
        return maps if isinstance(maps, list) and all(map(_is_map, maps)) else None

    def put(self, frame: int, maps: Maps) -> None:
        """Add the maps of a frame, if the budget allows. A disk that can't take them is not an error."""
        if self._is_off:
            return
        size = sum(level.nbytes for level in maps)
        kept: Any = [level.detach().cpu() for level in maps]
        try:
            if self._used is None:
                self._used = _drop_others(self.folder, self._budget)
            if self._used + size > self._budget:
                return
            self.folder.mkdir(parents=True, exist_ok=True)
            write_file(self._path(frame), lambda file: checked_file.write(file, kept), sync=False)
        except OSError:
            self._used = self._budget  # the disk is full or read-only: don't try again with every frame
            return
        self._used += size

    def forget(self, frame: int) -> None:
        """Delete the maps of a frame, if they exist."""
        with contextlib.suppress(OSError):
            patiently(lambda: self._path(frame).unlink(missing_ok=True))

    def _path(self, frame: int) -> Path:
        return self.folder / frame_name(frame, ".pt")


def _is_map(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.ndim == 4 and value.is_floating_point()


def _drop_others(folder: Path, budget: int) -> int:
    """Delete the oldest folders beside `folder` until half of the budget is free. Returns the bytes still used."""
    used = {other: _size(other) for other in newest_first(folder.parent)}
    for other in reversed([path for path in used if path != folder]):
        if sum(used.values()) <= budget // 2:
            break
        discard(other)
        del used[other]
    return sum(used.values())


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.pt"))
