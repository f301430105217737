"""Export: one file a target, one table of targets."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import Cancelled
from ...job import Job
from ..footage import Reader
from . import postshot
from .versions import Partial, claim

__all__ = ["TARGETS", "Target", "export"]

Alpha = Callable[[int], NDArray[np.uint8]]

_FORMAT = 1  # raise it when the same key would give other bytes
_WRITERS = 4  # a frame at full size each
_ASK_EVERY = 0.1  # seconds between two questions whether to stop


class Target(Protocol):
    """What writes the files of one kind of export: a module of this package."""

    def file_name(self, reader: Reader, frame: int) -> str:
        """What the file of `frame` is called."""

    def describe(self, reader: Reader) -> str:
        """What the files hold, for the report."""

    def write(self, file: BinaryIO, reader: Reader, frame: int, alpha: NDArray[np.uint8]) -> None:
        """Write `frame`; alpha is uint8 (H, W), 0 or 255. Raises FootageError, OSError."""


TARGETS: Mapping[str, Target] = {"postshot": postshot}


def export(
    job: Job,
    reader: Reader,
    alpha: Alpha,
    *,
    frames: Sequence[int],
    key: str,
    report: dict[str, Any],
    on_frame: Callable[[int, int, int], None],
    cancelled: Callable[[], bool],
) -> Path:
    """Write one version: all frames, or none that anybody sees.

    Args:
        job: names the target and the folder.
        reader: the Job's footage.
        alpha: gives the matte of a clip frame, uint8 (H, W), 0 or 255; called from several threads.
        frames: clip frames to export.
        key: hash of all that decides the mattes and the plates; what an interrupted export with the same key, target
            and frame finished is not written again.
        report: goes into vNNN.json, read when the last frame is there.
        on_frame: told of each frame written here: how many are finished, of how many, which clip frame.
        cancelled: asked again and again; True stops after the frames being written.

    Returns:
        The version's folder.

    Raises:
        OutputError: full disk, read-only folder.
        FootageError: a plate can't be read.
        Cancelled: as asked for. As after an error, finished frames are kept for the next run.
    """
    target = TARGETS[job.export]
    claimed = hashlib.sha256(f"{_FORMAT}/{job.export}/{key}".encode()).hexdigest()[:20]
    with claim(job.matte_folder, claimed) as partial:
        missing = [frame for frame in frames if not partial.has(target.file_name(reader, frame))]
        done = len(frames) - len(missing)
        for frame in _write_all(target, reader, alpha, missing, partial, cancelled):
            done += 1
            on_frame(done, len(frames), frame)
        facts = {"target": job.export, "files": target.describe(reader), "frames": len(frames), "key": key}
        document = {"job": json.loads(job.to_json()), "report": {**report, "export": facts}}
        return partial.publish(json.dumps(document, sort_keys=True, ensure_ascii=False, indent=1) + "\n")


def _write_all(
    target: Target, reader: Reader, alpha: Alpha, frames: list[int], partial: Partial, cancelled: Callable[[], bool]
) -> Iterator[int]:
    """Write frames in threads, yield each that is finished."""

    def write(frame: int) -> None:
        matte = alpha(frame)
        partial.add(target.file_name(reader, frame), lambda file: target.write(file, reader, frame, matte))

    writers = min(_WRITERS, os.cpu_count() or 1)
    order = iter(frames)
    with ThreadPoolExecutor(writers, thread_name_prefix="export") as pool:
        running: dict[Future[None], int] = {}
        try:
            while True:
                if cancelled():
                    raise Cancelled("Stopped. The frames written so far are kept for the next export.")
                for frame in itertools.islice(order, writers - len(running)):
                    running[pool.submit(write, frame)] = frame
                if not running:
                    return
                finished, _ = wait(running, timeout=_ASK_EVERY, return_when=FIRST_COMPLETED)
                for future in sorted(finished, key=running.__getitem__):
                    future.result()
                    yield running.pop(future)
        finally:
            for future in running:
                future.cancel()
