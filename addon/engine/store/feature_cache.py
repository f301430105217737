"""Image features on disk: what the image encoder makes of a frame, so that tracking again need not encode it again.

    <matte folder>/work/features/<key>/000012.pt    feature maps of clip frame 12, in the type they were computed in

On a CPU the encoder is most of the work on a frame (on a GPU tracking/cache_speed.py measures it), and its answer
depends on footage and model alone, never on prompts. What is read back is what was computed, to the last bit. The
folder stays within a budget: features of other footage or another model go first, and when the budget is full no more
are kept, since a clip is always read from one end to the other, where dropping the oldest would keep what is never
read.
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

_VERSION = 3  # raise it when what is kept changes, if only by rounding

Maps = list[torch.Tensor]  # one a level of the pyramid, from fine to coarse: (1, C, H, W)


class FeatureCache:
    """Feature maps of one clip by one model."""

    def __init__(self, job: Job, fingerprint: str, model: dict[str, str]) -> None:
        """The features of the Job's footage.

        Args:
            job: says where, and how much.
            fingerprint: of the footage (Reader.fingerprint).
            model: what decides the model's arithmetic (model.Source.facts).
        """
        key = key_of({"version": _VERSION, "footage": fingerprint, "model": model})
        self.folder = work_folder(job.matte_folder) / "features" / key[:20]
        self._budget = job.cache_megabytes * 1_000_000
        self._is_off = False
        self._used: int | None = None  # bytes; counted when something is to be kept, which a preview seldom does

    def __contains__(self, frame: int) -> bool:
        """Whether clip frame `frame` is there."""
        return not self._is_off and self._path(frame).exists()

    def switch_off(self) -> None:
        """Neither read nor keep anything from now on."""
        self._is_off = True

    def get(self, frame: int, device: torch.device) -> Maps | None:
        """The maps of clip frame `frame` on `device`; None if they are missing or damaged."""
        maps: Maps | None = None if self._is_off else checked_file.read(self._path(frame), device)
        return maps if isinstance(maps, list) and all(map(_is_map, maps)) else None

    def put(self, frame: int, maps: Maps) -> None:
        """Keep the maps of a frame, if there is room; a disk that can't take them is no error."""
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
            self._used = self._budget  # full, or not ours to write: don't try with every frame
            return
        self._used += size

    def forget(self, frame: int) -> None:
        """Drop the maps of a frame, if they are there."""
        with contextlib.suppress(OSError):
            patiently(lambda: self._path(frame).unlink(missing_ok=True))

    def _path(self, frame: int) -> Path:
        return self.folder / frame_name(frame, ".pt")


def _is_map(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.ndim == 4 and value.is_floating_point()


def _drop_others(folder: Path, budget: int) -> int:
    """Remove the oldest neighbours of `folder` until half of the budget is free or none is left; bytes still used."""
    used = {other: _size(other) for other in newest_first(folder.parent)}
    for other in reversed([path for path in used if path != folder]):
        if sum(used.values()) <= budget // 2:
            break
        discard(other)
        del used[other]
    return sum(used.values())


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.pt"))
