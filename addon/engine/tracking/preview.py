"""Previews: one frame's matte at once, before anything is tracked, as after a click.

The result is as near to that of tracking as a single frame can be. A matte in the store is shown as it is. A prompt
that stands alone gives exactly its conditioning frame. Points that correct a tracked frame correct its newest matte,
with the memory of the prompts that it was tracked from.
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
    """Previews with one model. It keeps the image features of the last frame, so that the next click costs little."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self._seen: tuple[str, int] | None = None  # footage (with this model) and frame of the kept features
        self._features: dict[int, Any] = {}

    def preview(
        self, job: Job, frame: int, reader: Reader, store: Store, takes: Takes, features: FeatureCache
    ) -> dict[str, NDArray[np.float16]]:
        """Return the mattes of a clip frame by object.

        Args:
            job: the present prompts.
            frame: clip frame.
            reader: the Job's footage.
            store: the clip's store.
            takes: where the Job's mattes are or will be.
            features: cache of the footage's features by the model.

        Returns:
            Logits (h, w), above 0 inside the subject. Objects without any information on this frame are missing.

        Raises:
            FootageError: the frame can't be read.
            JobError: a mask prompt can't be read.
            OutputError: a stored matte is damaged.
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
            return None  # there is no matte that it could correct
        give(predictor, state, 0, prompt, job.footage)
        self._features = state["cached_features"]
        return memory.matte_of(predictor.conditioning(state, 0)[frame - 1], job.footage).logits

    def _take_up(self, state: State, prompt: Prompt, store: Store, name: str, footage: Footage) -> bool:
        """Put the newest matte of the prompt's frame into `state` as tracked. Return False if there is none."""
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
