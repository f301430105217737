"""The held mattes of a Job: frames that keep an earlier take's mattes while the others are tracked."""

from __future__ import annotations

import cv2

from ...contract.errors import OutputError
from ...contract.held_mattes import HINT, sha256_of
from ...contract.job import Job
from ...contract.job_types import MatteObject
from ..store.matte_store import Matte, Store, Take


class HeldMattes:
    """The held mattes of one object."""

    def __init__(self, store: Store, matte_object: MatteObject) -> None:
        self._runs = matte_object.held
        self.takes: list[Take] = [store.by_key(matte_object.name, held.take) for held in self._runs]

    def check(self, where: str) -> None:
        """Check that the mattes are those that were held. `where`: the Job's field. Raises OutputError."""
        for i, (held, take) in enumerate(zip(self._runs, self.takes, strict=True)):
            if sha256_of(take.folder, held.first, held.last) != held.sha256:
                raise OutputError(
                    f"The mattes of the frames {held.first} to {held.last} have changed since they were held.",
                    where=f"{where}[{i}].sha256",
                    hint=HINT,
                )

    def take_of(self, frame: int) -> Take | None:
        """Return the take that a clip frame is held from; None if it is not held."""
        runs = zip(self._runs, self.takes, strict=True)
        return next((take for held, take in runs if held.first <= frame <= held.last), None)

    def matte(self, frame: int, shape: tuple[int, int]) -> Matte | None:
        """Return the held matte of a clip frame with logits of `shape` (h, w); None if the frame is not held.

        Logits of another shape, from a model with another input size, are resampled bilinearly.

        Raises:
            OutputError: the matte is gone or damaged.
        """
        take = self.take_of(frame)
        if take is None:
            return None
        matte = take.tracked(frame)
        if matte.logits.shape == shape:
            return matte
        resized = cv2.resize(matte.logits.astype("float32"), shape[::-1], interpolation=cv2.INTER_LINEAR)
        return Matte(resized.astype("float16"), matte.iou, matte.object_score)


def held_mattes(job: Job, store: Store) -> dict[str, HeldMattes]:
    """Return the held mattes by name of the Job's objects that have any."""
    return {matte_object.name: HeldMattes(store, matte_object) for matte_object in job.objects if matte_object.held}


def check_held(job: Job, held: dict[str, HeldMattes]) -> None:
    """Check that all held mattes exist and are unchanged. Raises OutputError, which names the frame or the field."""
    for i, matte_object in enumerate(job.objects):
        if matte_object.name in held:
            held[matte_object.name].check(f"objects[{i}].held")
