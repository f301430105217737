"""The protocol between Blender and the engine: JSON lines over the engine's stdin and stdout.

Every request has an `id`, which its answers repeat. Nothing but these messages is ever written to the pipe; pixels
travel through files. The engine ends when its stdin closes, so it never outlives Blender. Standard library only.

The engine answers a request with any number of `takes`, `progress` and `warning` events, then with exactly one `done`
or `error`. `cancel` and `quit` have no answer of their own: the request that they stop ends with an `error` whose
exit_code is CANCELLED. requests.py lists the requests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import IO, Any, Literal, NotRequired, TypedDict

PROTOCOL_VERSION = 2
MAX_LINE = 256 * 1024 * 1024  # characters; no Job is longer

Stage = Literal["model", "track", "repair", "export", "clean", "select", "static"]


class Answer(TypedDict, total=False):
    """The fields of `done`, which depend on the request."""

    folder: str  # export: the finished version's folder; farm: the bundle
    command: str  # farm: that sends the bundle; empty: it has been sent
    file: (
        str  # preview, finish, outlines, repair, suggest, found, select: see layout.py; clean, static: what was written
    )
    found: str  # track, export, found: the folder of what was found without a click
    device: str  # what the model ran on, in words
    frames: int  # frames that have a matte now
    repairs: int  # frames that a new matte is offered for, of all objects
    suspects: int  # runs of doubtful frames, of all objects; suspects.py says where they are kept
    kept: int  # select: frames
    dropped: int  # select: frames
    blurred: int  # select: of those dropped
    gaussians: int  # clean: of the splat
    floaters: int  # of these, some cameras see them on the subject and too many beside it
    removed: int  # of these, go, or would go


class Event(Answer):
    """A message from the engine to its client. Its fields depend on `event`."""

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


def encode(message: Mapping[str, object]) -> str:
    """Encode a message as one line of ASCII, which no locale or code page can break."""
    return json.dumps(message, ensure_ascii=True, separators=(",", ":"), allow_nan=False) + "\n"


def lines(pipe: IO[str]) -> Iterator[str]:
    """The lines of a pipe until its end. A line longer than MAX_LINE comes in pieces, which `decode` rejects."""
    while line := pipe.readline(MAX_LINE):
        yield line


def decode(line: str) -> dict[str, Any]:
    """Decode a message. Raises ValueError if the line is not one JSON object."""
    try:
        message = json.loads(line)
    except RecursionError:
        raise ValueError(f"nested too deeply: {line[:80]!r}") from None
    if not isinstance(message, dict):
        raise ValueError(f"not a message: {line[:80]!r}")
    return message
