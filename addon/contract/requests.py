"""What the engine can be asked: one frozen dataclass a request. A new one is its class here and its function there.

Over the pipe a request is one JSON line: its `id`, `do`, which is its class's name in lower case, and its fields.
engine/handlers.py has the function of each. Standard library only; both processes import it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from . import json_codec
from .job import Job

_M = TypeVar("_M", bound="Message")


class Message:
    """All that Blender says to the engine.

    verb: its name in `do`.
    kinds: every message by that name.
    """

    verb: ClassVar[str]
    kinds: ClassVar[dict[str, type[Message]]] = {}

    def __init_subclass__(cls, *, abstract: bool = False) -> None:
        cls.verb = cls.__name__.lower()
        if not abstract:
            Message.kinds[cls.verb] = cls

    def to_plain(self, request: int) -> dict[str, Any]:
        """As it travels, under the id `request`."""
        return {"id": request, "do": self.verb, **dataclasses.asdict(self)}  # type: ignore[call-overload]

    @classmethod
    def from_plain(cls: type[_M], message: dict[str, Any]) -> _M:
        """What `to_plain` gave. Raises JobError that names the field."""
        fields = {name: value for name, value in message.items() if name not in ("id", "do")}
        read: _M = json_codec.decode(fields, cls, cls.verb)
        return read


@dataclass(frozen=True)
class Cancel(Message):
    """The request of that id is not wanted any more: it ends with CANCELLED. Others go on. Not answered itself."""

    request: int


@dataclass(frozen=True)
class Quit(Message):
    """Nothing is wanted any more; the engine ends. Closing its stdin says the same."""


@dataclass(frozen=True)
class Request(Message, abstract=True):
    """What is answered, by `done` or `error`.

    newest_only: answered at once, also between two frames of a Job; one that waits is pointless when a newer one of its
        kind comes, and ends with CANCELLED.
    """

    newest_only: ClassVar[bool] = False

    job: Job


@dataclass(frozen=True)
class Track(Request):
    """Fill the matte store with what the Job needs and the store lacks."""


@dataclass(frozen=True)
class Retrack(Request):
    """As Track, but what the store has of the frames that are wanted is forgotten first."""


@dataclass(frozen=True)
class Export(Request):
    """Track, then write a version; `done` carries its folder.

    picked_from: what `found` of `done` was when the Job's subjects were picked; empty: they weren't.
    """

    picked_from: str = ""


@dataclass(frozen=True)
class Review(Request):
    """Say again what is doubtful of what is tracked.

    poses: a COLMAP model's folder or a transforms.json, to check it in 3-D too; empty: don't.
    """

    poses: str = ""


@dataclass(frozen=True)
class Clean(Request):
    """Hold a trained splat against the mattes of the Job's latest version that has them as images.

    splat: the trainer's PLY, which is never changed; poses: that it was trained with, as of Review.
    views: cameras that must see a Gaussian outside; floaters: also those go that some cameras see on the subject.
    write: the rest into a new file beside it, which `done` carries; otherwise they are only counted.
    """

    splat: str
    poses: str
    views: int
    floaters: bool
    write: bool


@dataclass(frozen=True)
class Outlines(Request):
    """Of tracked mattes, as they are exported, for Blender's mask splines; `done` carries the file.

    frames: clip frames; points: of each curve.
    """

    frames: tuple[int, ...]
    points: int


@dataclass(frozen=True)
class Suggest(Request):
    """The automatic masks of clip frame `frame`, as outlines; `done` carries the file."""

    frame: int


@dataclass(frozen=True)
class Preview(Request):
    """The mattes of clip frame `frame`, without tracking; `done` carries the file."""

    newest_only: ClassVar[bool] = True

    frame: int


@dataclass(frozen=True)
class Finish(Request):
    """The finished mattes of clip frame `frame` for the overlay, without the model; `done` carries the file.

    takes: by object, the folder of its mattes; empty = the frame's last preview.
    """

    newest_only: ClassVar[bool] = True

    frame: int
    takes: dict[str, str]


@dataclass(frozen=True)
class Found(Request):
    """What was found on clip frame `frame` without a click, as outlines with numbers, from what is on disk.

    `done` carries the file, and the folder of all that was found.
    """

    newest_only: ClassVar[bool] = True

    frame: int
