"""One frame's matte at once, before anything is tracked: what a click does.

The answer is what tracking will make of the frame, as near as one frame can tell: a matte that is in the store is that
matte; a prompt that stands alone gives exactly its conditioning frame; points that correct a tracked frame correct its
newest matte, with the memory of the prompts that it was tracked from.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...contract.job import Job
from ...contract.job_types import Footage, MatteObject, Prompt
from ..footage.footage import Reader
from ..sam2.model import Loaded
from ..sam2.predictor import State
from ..sam2.prompting import Images, give
from ..store.feature_cache import FeatureCache
from ..store.matte_store import Store
from . import memory
from .held import HeldMattes
from .propagate import Takes, corrections


class Previewer:
    """Previews with one model. Keeps the image features of the last frame, so that the next click costs little."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self._seen: tuple[str, int] | None = None  # footage (by this model) and frame that the features are of
        self._features: dict[int, Any] = {}

    def preview(
        self, job: Job, frame: int, reader: Reader, store: Store, takes: Takes, features: FeatureCache
    ) -> dict[str, NDArray[np.float16]]:
        """The mattes of a clip frame, by object.

        Args:
            job: the prompts as they are now.
            frame: clip frame.
            reader: the Job's footage.
            store: the clip's store.
            takes: where the Job's mattes are or will be.
            features: of the footage by the model.

        Returns:
            Logits (h, w), above 0 is subject. An object of which nothing can be said on this frame is missing.

        Raises:
            FootageError, JobError, OutputError: as they say.
        """
        seen = (features.folder.name, frame)
        if seen != self._seen:
            self._seen, self._features = seen, {}
        found = {}
        with self.loaded.computing():
            for matte_object in job.objects:
                take = HeldMattes(store, matte_object).take_of(frame) or takes[matte_object.name][0]
                matte = take.matte(frame)
                logits = matte.logits if matte else self._prompted(job, matte_object, frame, reader, store, features)
                if logits is not None:
                    found[matte_object.name] = logits
        return found

    def _prompted(
        self, job: Job, matte_object: MatteObject, frame: int, reader: Reader, store: Store, features: FeatureCache
    ) -> NDArray[np.float16] | None:
        prompt = next((prompt for prompt in matte_object.prompts if prompt.frame == frame), None)
        if prompt is None:
            return None
        predictor = self.loaded.predictor
        state = predictor.start(Images(reader, predictor), job.footage.frame_count, 1, features)
        state["cached_features"] = self._features
        corrects = prompt in corrections(matte_object) and self._take_up(
            state, prompt, store, matte_object.name, job.footage
        )
        if not (corrects or prompt.stands_alone):
            return None  # nothing is there that it could correct
        give(predictor, state, 0, prompt, job.footage)
        self._features = state["cached_features"]
        return memory.matte_of(predictor.conditioning(state, 0)[frame - 1], job.footage).logits

    def _take_up(self, state: State, prompt: Prompt, store: Store, name: str, footage: Footage) -> bool:
        """Put the newest matte of the prompt's frame into `state` as tracked. False if there is none."""
        predictor = self.loaded.predictor
        take = store.newest(name, prompt.frame)
        matte = take.matte(prompt.frame) if take else None
        if take is None or matte is None:
            return False
        for prompted in take.conditioning_frames():
            output = memory.load_conditioning(take, prompted - 1, state)
            if output is not None and prompted != prompt.frame:
                predictor.conditioning(state, 0)[prompted - 1] = output
        if not predictor.conditioning(state, 0):
            return False
        return memory.put_tracked(predictor, state, 0, prompt.frame - 1, matte, footage)
