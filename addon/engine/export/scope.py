"""The frames that an export writes: all, those missing from a version, or those changed since it was written.

A version's report says what its frames were made from (`made_from`, a hash per frame) and which run wrote which frames
(`written`).
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...contract.frame_numbers import runs_of
from ...contract.job import Job
from ...contract.job_types import Delivery
from .versions import Version, find
from .writer import BaseWriter, MatteOf


@dataclass(frozen=True, slots=True)
class FramesToWrite:
    """frames: clip frames to write, ascending; made_from: their hashes; base: the version with the others, or None."""

    frames: list[int]
    made_from: dict[int, str]
    base: Version | None

    def history(self, job: Job, model: str) -> dict[str, Any]:
        """The report's record of when the frames were written, and from what."""
        earlier: Mapping[str, Any] = self.base.facts if self.base else {}
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        entry = {"at": now, "frames": spans(self.frames), "scope": job.delivery.scope, "model": model}
        return {
            "made_from": {
                **earlier.get("made_from", {}),
                **{str(frame): self.made_from[frame] for frame in self.frames},
            },
            "written": [*earlier.get("written", []), entry],
        }


def settings_of(writer: BaseWriter) -> dict[str, Any]:
    """The settings that all frames of a version share: the target, the description of its files, and the kept frames.

    `kept` is None if all frames are kept, and for versions written before frames could be dropped.
    """
    kept = spans(writer.job.delivery.kept) or None
    return {"target": writer.job.target, **writer.describe(), "kept": kept}


def kept_of(delivery: Delivery, frames: Iterable[int]) -> list[int]:
    """The clip frames among `frames` that are not dropped."""
    kept = set(delivery.kept)
    return [frame for frame in frames if not kept or frame in kept]


def frames_to_write(
    writer: BaseWriter, matte: MatteOf, tracked: Sequence[int], frame_key: Callable[[int], str]
) -> FramesToWrite:
    """Find the frames to write for the Job's delivery.

    Args:
        tracked: clip frames that have a matte.
        frame_key: returns the hash of a frame's mattes.

    Raises:
        JobError: the version does not exist, or the target needs frames that have no matte.
    """
    job, delivery = writer.job, writer.job.delivery
    base = None
    if delivery.into or delivery.scope != "all":
        base = find(job.matte_folder, delivery.into.removeprefix("latest"), settings_of(writer))
    first, last = delivery.frame_range or (1, job.footage.frame_count)
    wanted = [frame for frame in kept_of(delivery, tracked) if first <= frame <= last]
    there: set[int] = set()
    if base is not None:
        frames = range(1, job.footage.frame_count + 1)
        there = {frame for frame in frames if all(map(base.has, writer.frame_files(frame, matte)))}
    frames_of_all = writer.frames(sorted(there.union(wanted)))
    if writer.rules.every_frame:
        wanted = [frame for frame in kept_of(delivery, frames_of_all) if first <= frame <= last]
    made_from = {frame: _made_from(frame, writer, frame_key) for frame in wanted}
    if base is not None and delivery.scope != "all":
        known: Mapping[str, str] = base.facts.get("made_from", {}) if delivery.scope == "changed" else {}
        kept = {
            frame for frame in there if delivery.scope == "missing" or known.get(str(frame)) == made_from.get(frame)
        }
        wanted = [frame for frame in wanted if frame not in kept]
    return FramesToWrite(wanted, made_from, base)


def spans(frames: Iterable[int]) -> list[list[int]]:
    """The first and last frame of every run of consecutive frames."""
    return [[run[0], run[-1]] for run in runs_of(frames)]


def _made_from(frame: int, writer: BaseWriter, frame_key: Callable[[int], str]) -> str:
    return hashlib.sha256(f"{frame_key(frame)}/{writer.reader.fingerprint_of(frame)}".encode()).hexdigest()[:20]
