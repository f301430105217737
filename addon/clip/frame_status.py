"""The kinds of frames that the lane under the clip shows and that buttons jump to, as one table.

A new kind of frame is one more entry of KINDS and one more line in `lane_of`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy

from ..contract.frame_numbers import runs_of
from ..results.take_reader import exported_frames, is_made_from, tracked_frames
from ..settings.clip_settings import ObjectSettings, settings_of
from .footage import matte_folder, pictures_of
from .summary import Summary, summary_of

Colour = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of frame. low, high: vertical extent of its bars, 0 to 1 of the lane; drawn in the table's order."""

    label: str
    description: str
    colour: Colour
    low: float = 0.0
    high: float = 0.75


KINDS = {
    "stale": Kind("Stale", "Tracked from markers that have changed since", (0.76, 0.55, 0.2, 0.9)),
    "tracked": Kind("Tracked", "Has a matte", (0.25, 0.62, 0.36, 0.9)),
    "suspect": Kind("Suspect", "Where the matte is doubtful", (0.85, 0.2, 0.25, 1.0)),
    "held": Kind("Held", "Keeps its matte while the others are tracked again", (0.6, 0.45, 0.9, 1.0), 0.35, 0.6),
    "exported": Kind("Exported", "In the latest version", (0.35, 0.62, 0.95, 1.0), 0.0, 0.25),
    "dropped": Kind("Dropped", "Left out of the export, as Which Frames says", (0.75, 0.75, 0.78, 1.0), 0.75, 1.0),
    "prompted": Kind("Marked", "Has markers, boxes or masks", (1.0, 0.85, 0.2, 1.0), 0.0, 1.0),
}


def lane_of(clip: bpy.types.MovieClip, summary: Summary | None = None) -> dict[str, set[int]]:
    """Return clip frames by kind, over all objects with a matte. summary: the clip's, if it was computed already."""
    found: dict[str, set[int]] = {kind: set() for kind in KINDS}
    summary = summary or summary_of(clip)
    for entry in settings_of(clip).objects:
        if entry.use:
            for take in entry.takes():
                found["tracked" if is_current(entry, take, summary) else "stale"] |= tracked_frames(take)
            found["held"] |= entry.held_frames()
    found["stale"] -= found["tracked"]
    found["prompted"] = {prompt.frame for prompts in summary.marked.values() for prompt in prompts}
    for suspect in settings_of(clip).suspects_used():
        found["suspect"] |= set(range(suspect.first, suspect.last + 1))
    found["dropped"] = settings_of(clip).dropped_frames()
    if (folder := matte_folder(clip, summary.footage)) is not None:
        found["exported"] = exported_frames(folder)
    return found


def is_current(entry: ObjectSettings, take: str, summary: Summary) -> bool:
    """Whether a take was made from the object's present marks and the pictures that the clip shows now."""
    prompts = summary.marked.get(entry.name)
    if take != entry.take or prompts is None or summary.footage is None:
        return False
    is_of_these = entry.pictures in ("", pictures_of(summary.footage))  # empty: saved by an earlier release
    return is_of_these and is_made_from(Path(take), prompts, entry.held_runs())


def stops(clip: bpy.types.MovieClip, kind: str) -> list[int]:
    """Return the frames to jump to: each marked frame, the worst of each suspect run, both ends of other runs."""
    if kind == "suspect":
        return sorted({suspect.frame for suspect in settings_of(clip).suspects_used()})
    frames = lane_of(clip)[kind]
    if kind == "prompted":
        return sorted(frames)
    return sorted({frame for run in runs_of(frames) for frame in (run[0], run[-1])})
