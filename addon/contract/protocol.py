"""What Blender and the engine say to each other: JSON lines over the engine's stdin and stdout.

Requests have an `id` that the answers repeat. Nothing but these messages is ever written to the pipe: pixels travel
through files. The engine ends when its stdin closes, so it never outlives Blender. Standard library only.

A request is answered by any number of `takes`, `progress` and `warning` events, then by exactly one `done` or `error`.
`cancel` and `quit` have no answer of their own: what they stop ends with `error`, exit_code CANCELLED.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict

PROTOCOL_VERSION = 1

Verb = Literal[
    "track", "retrack", "export", "review", "preview", "finish", "outlines", "suggest", "found", "cancel", "quit"
]
# track: fill the matte store with what the Job needs and the store lacks.
# retrack: the same, but what the store has of the frames that are wanted is forgotten first.
# export: track, then write a version; `done` carries its folder.
# review: say again what is doubtful of what is tracked; with `poses`, checked in 3-D.
# preview: the mattes of one frame, at once, also between two frames of a track; `done` carries their file
#   (engine/session.py says what is in it). A newer preview makes one that waits pointless: that ends CANCELLED.
# finish: the finished mattes of one frame for the overlay, from what is tracked or previewed, without the model;
#   answered as a preview is.
# outlines: of tracked mattes, as they are exported, for Blender's mask splines; `done` carries the file.
# suggest: the automatic masks of one frame, as outlines; `done` carries the file.
# found: what was found on one frame without a click, as outlines with numbers, from what is on disk; `done` carries the
#   file; answered as a preview is.
Stage = Literal["model", "track", "export"]


class Request(TypedDict):
    """Client to engine."""

    id: int
    do: Verb
    job: NotRequired[dict[str, Any]]  # Job.from_dict
    frame: NotRequired[int]  # preview, finish, suggest, found: clip frame
    takes: NotRequired[dict[str, str]]  # finish: by object, the folder of its mattes; empty = the frame's last preview
    frames: NotRequired[list[int]]  # outlines: clip frames
    points: NotRequired[int]  # outlines: of each curve
    poses: NotRequired[str]  # review: a COLMAP model's folder or a transforms.json
    picked_from: NotRequired[str]  # export: what `found` of `done` was when the Job's subjects were picked


class Event(TypedDict):
    """Engine to client; which fields are there depends on `event`."""

    id: int  # of the request; 0 for `ready`
    event: Literal["ready", "takes", "progress", "warning", "done", "error"]
    # ready
    protocol: NotRequired[int]
    python: NotRequired[str]
    torch: NotRequired[str]
    # takes: before anything is tracked; mattes appear there as they are made (engine/store/matte_store.py)
    takes: NotRequired[dict[str, str]]  # folder by object
    # progress
    stage: NotRequired[Stage]
    done: NotRequired[int]  # frames finished in this stage, over all passes
    total: NotRequired[int]
    frame: NotRequired[int]  # the clip frame just finished
    seconds_left: NotRequired[float]  # estimate for this stage; absent while unknown
    # warning, error
    message: NotRequired[str]
    where: NotRequired[str]
    hint: NotRequired[str]
    exit_code: NotRequired[int]  # error only: errors.ExitCode
    # done
    folder: NotRequired[str]  # export: the finished version's folder
    file: NotRequired[str]  # preview, finish: the mattes; outlines, suggest, found: the curves
    found: NotRequired[str]  # track, export, found: the folder of what was found without a click
    device: NotRequired[str]  # what the model ran on, in words
    frames: NotRequired[int]  # frames that have a matte now
    suspects: NotRequired[int]  # runs of doubtful frames, of all objects; suspects.py says where they are kept


def encode(message: Mapping[str, object]) -> str:
    """One line, ASCII, so that no locale or code page can break it."""
    return json.dumps(message, ensure_ascii=True, separators=(",", ":"), allow_nan=False) + "\n"


def decode(line: str) -> dict[str, Any]:
    """Raises ValueError if the line is not one JSON object."""
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError(f"not a message: {line[:80]!r}")
    return message
