"""Things: everything visible gets a number and is tracked; new things get a number when they appear.

A reimplementation of the promptless mode of T-3DGS's video segmentor (Pryadilshchikov et al., arXiv 2412.00155): a grid
of points gives automatic masks on the first frame, a coarser grid on later frames in areas without a label.
labelling.py tracks and merges them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ...contract.automatic import Things
from ...contract.job import Job
from ..footage.footage import Reader
from ..sam2.model import Loaded
from ..store.matte_store import Take
from .grid import AROUND, Mask, dilated, mask_size, resized
from .labelling import KEPT, Labelling, Last
from .masks import MASK_SIDE, Settings, point_grid, stopping
from .proposals import propose
from .tracks import Tracker


class ThingSearch:
    """One search in a clip."""

    def __init__(self, job: Job, search: Things, reader: Reader) -> None:
        self._job = job
        self._search = search
        self._reader = reader
        self._size = mask_size(job.footage.width, job.footage.height)
        self._around = max(1, round(AROUND * max(self._size) / MASK_SIDE))

    def run(
        self,
        loaded: Loaded,
        folder: Path,
        on_frame: Callable[[int, int, int], None],
        cancelled: Callable[[], bool],
    ) -> dict[int, Take]:
        """Search all frames. Returns the takes by number. Raises the errors of Labelling.run."""
        with loaded.computing():
            self._predictor = loaded.predictor
            self._ask = stopping(cancelled, KEPT)
            return Labelling(
                Tracker(loaded.predictor, self._reader, self._job.footage.frame_count),
                range(self._job.frames[0] - 1, self._job.frames[-1]),
                folder,
                size=self._size,
                memory_size=self._search.memory_size,
                lambda_merge=self._search.lambda_merge,
                propose=self._propose,
                accept=lambda index, mask, last: True,
            ).run(on_frame, cancelled)

    def _propose(
        self, index: int, found: dict[int, Mask], before: Callable[[], dict[int, Last]]
    ) -> Iterator[tuple[Mask, int | None]]:
        covered = np.logical_or.reduce([np.zeros(self._size, np.bool_), *found.values()])
        anything = bool(found or before())
        points = point_grid(self._search.prompt_points_per_side if anything else self._search.start_points_per_side)
        rows, columns = (points[:, ::-1] * self._size).astype(np.intp).T
        points = points[~dilated(covered, self._around)[rows, columns]]
        if not len(points):
            return
        for mask in propose(self._predictor, self._reader, index + 1, Settings(), points=points, cancelled=self._ask):
            yield resized(mask.mask(), self._size), None
