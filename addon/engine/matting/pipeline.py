"""From the matte store to a finished matte: an object's logits, steadied over time, resized, refined, finished.

All exports and the overlay use it, so both show the same.
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

OVERLAY_SIDE = 2048  # longest side of finished mattes for the overlay, in pixels

LogitsOf = Callable[[int], Logits | None]  # returns an object's logits on a clip frame, or None
Refined = Callable[
    [int, Logits, tuple[int, int]], NDArray[np.uint8]
]  # (clip frame, logits, (W, H)) -> (H, W), 0 or 255

# (clip frame, matte (h, w) of 0 or 255, pixels on either side of the edge) -> (h, w) with greys
Softened = Callable[[int, NDArray[np.uint8], float], NDArray[np.uint8]]


def stored(take: Take, tracked: Collection[int] = ()) -> LogitsOf:
    """Return a reader of the store. For clip frames in `tracked`, a missing matte is an OutputError, as it existed
    before.
    """

    def logits(frame: int) -> Logits | None:
        found = take.tracked(frame) if frame in tracked else take.matte(frame)
        return None if found is None else found.logits

    return logits


class Mattes:
    """The finished mattes of a Job. Thread-safe.

    Args:
        job: its finishing and its frames count: other frames of the store do not influence the result.
        logits: of each object, by name.
        longest: the longer side of the mattes is reduced to this many pixels; 0 = the plate's size.
        refined: makes a matte from a frame's logits; None = they are interpolated.
        static: areas that never belong to the scene; None = the Job's static masks are ignored.
        softened: makes a frame's edges soft; None = edges stay hard.
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
        """Return the matte of an object on a clip frame, or with None of all exported objects without shadows,
        together.

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
        """Return the logits of an object on rows of a clip frame, float32 (rows, width); -inf without a matte."""
        logits = self._steady(name, frame)
        width, height = self.size
        found = None if logits is None else upsample.enlarged(logits, width, height, rows, panorama=self._panorama)
        return np.full((len(range(height)[rows]), width), -np.inf, np.float32) if found is None else found

    def has(self, frame: int, name: str) -> bool:
        """Whether an object has a matte on a clip frame. Raises OutputError."""
        return self._within(name, frame) is not None

    def key(self, frame: int) -> str:
        """Return a key that changes when one of the frame's mattes does. Raises OutputError."""
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
