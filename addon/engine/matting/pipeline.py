"""From the matte store to what leaves the engine: an object's logits, steadied, as large as wanted, refined, finished.

The one way for every export and for the overlay, which is why both show the same.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from ...contract.job import Job
from ..store.matte_store import Take, key_of
from ..tracking.plan import frames_of
from . import finish, upsample
from .finish import Logits
from .static_masks import StaticMasks

OVERLAY_SIDE = 2048  # pixels: as large as the overlay gets finished mattes

LogitsOf = Callable[[int], Logits | None]  # of one object, by clip frame; None if it has none there
Refined = Callable[[int, Logits, tuple[int, int]], NDArray[np.uint8]]  # of clip frame, logits, (W, H): (H, W), 0 or 255

# of clip frame, (h, w) of 0 or 255, pixels of it to either side of the edge: (h, w) with greys
Softened = Callable[[int, NDArray[np.uint8], float], NDArray[np.uint8]]


def stored(take: Take, tracked: Collection[int] = ()) -> LogitsOf:
    """What is in the store. Of the clip frames `tracked` a missing matte is an OutputError: it was there before."""

    def logits(frame: int) -> Logits | None:
        found = take.tracked(frame) if frame in tracked else take.matte(frame)
        return None if found is None else found.logits

    return logits


class Mattes:
    """The finished mattes of a Job. May be asked from several threads.

    Args:
        job: its finishing and its frames count: no other frame of the store has a part in the result.
        logits: of each object.
        longest: what the longer side of the mattes is reduced to, in pixels; 0 = the plate's size.
        refined: makes a matte of a frame's logits; None = they are interpolated.
        static: areas that never belong to the scene; None = the Job's static masks don't count.
        softened: makes a frame's edges soft; None = nothing does.
    """

    def __init__(
        self,
        job: Job,
        logits: Mapping[str, LogitsOf],
        longest: int = 0,
        refined: Refined | None = None,
        static: StaticMasks | None = None,
        softened: Softened | None = None,
    ) -> None:
        footage = job.footage
        self._job = job
        self._logits = logits
        self._refined = refined
        self._softened = softened
        self._static = static
        self._panorama = footage.panorama
        self._scale = min(1.0, longest / max(footage.width, footage.height)) if longest else 1.0
        self.size = max(1, round(footage.width * self._scale)), max(1, round(footage.height * self._scale))
        self._finishing = {matte_object.name: matte_object.finishing for matte_object in job.objects}
        self._exported = [
            matte_object.name for matte_object in job.objects if matte_object.export and not matte_object.shadow
        ]
        self._frames = {matte_object.name: set(frames_of(job, matte_object)) for matte_object in job.objects}

    def finished(self, frame: int, name: str | None, *, soft: bool) -> NDArray[np.uint8]:
        """The matte of an object, or with None of all that are exported and no shadows, together, on a clip frame.

        Returns:
            uint8 (h, w), upright, 0 or 255 unless `soft` allows greys; 0 where there is no matte.

        Raises:
            OutputError: a stored matte is damaged.
        """
        matte = self._finished(frame, name, soft=soft)
        return matte if self._static is None else self._static.applied(matte, frame)

    def _finished(self, frame: int, name: str | None, *, soft: bool) -> NDArray[np.uint8]:
        width, height = self.size
        wanted = self._exported if name is None else [name]
        if self._refined is None and all(finish.is_off(self._finishing[name]) for name in wanted):
            found = (self._within(name, frame) for name in wanted)
            return upsample.union(
                (matte for matte in found if matte is not None), width, height, panorama=self._panorama
            )
        done = finish.finish(
            self._job,
            wanted,
            frame,
            lambda name: self._cut(name, frame),
            soft=soft,
            scale=self._scale,
            soften=None if self._softened is None else functools.partial(self._softened, frame),
        )
        return np.zeros((height, width), np.uint8) if done is None else done

    def strength(self, frame: int, name: str, rows: slice) -> NDArray[np.float32]:
        """How sure the model is of an object on rows of a clip frame: float32 (rows, width) logits; -inf: no matte."""
        logits = self._steady(name, frame)
        width, height = self.size
        found = None if logits is None else upsample.enlarged(logits, width, height, rows, panorama=self._panorama)
        return np.full((len(range(height)[rows]), width), -np.inf, np.float32) if found is None else found

    def has(self, frame: int, name: str) -> bool:
        """Whether there is a matte of an object on a clip frame. Raises OutputError."""
        return self._within(name, frame) is not None

    def key(self, frame: int) -> str:
        """Changes when one of the frame's mattes does. Raises OutputError."""
        logits = {name: self._steady(name, frame) for name in self._logits}
        hashes = {
            name: None if array is None else hashlib.sha256(array.tobytes()).hexdigest()
            for name, array in logits.items()
        }
        return key_of(
            {
                "mattes": hashes,
                "finishing": finish.facts(self._job),
                "exported": self._exported,
                "refine": self._job.refining,
                **({} if self._static is None else self._static.facts),
            }
        )

    def _cut(self, name: str, frame: int) -> NDArray[np.uint8] | None:
        logits = self._steady(name, frame)
        if logits is None or self._refined is None:
            return None if logits is None else upsample.union([logits], *self.size, panorama=self._panorama)
        return self._refined(frame, logits, self.size)

    def _steady(self, name: str, frame: int) -> Logits | None:
        return finish.steady(lambda at: self._within(name, at), frame, self._finishing[name].temporal)

    def _within(self, name: str, frame: int) -> Logits | None:
        return self._logits[name](frame) if name in self._logits and frame in self._frames[name] else None
