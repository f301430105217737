"""The engine's requests, one frozen dataclass for each.

Over the pipe a request is one JSON line with its `id`, its fields, and `do`: the name of its class in lower case. A new
request needs a class here and a function in engine/handlers.py. Standard library only; both processes import it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from . import json_codec
from .job import Job

_M = TypeVar("_M", bound="Message")


class Message:
    """A message from Blender to the engine.

    verb: the value of `do`.
    kinds: the classes of all messages by their verbs.
    """

    verb: ClassVar[str]
    kinds: ClassVar[dict[str, type[Message]]] = {}

    def __init_subclass__(cls, *, abstract: bool = False) -> None:
        cls.verb = cls.__name__.lower()
        if not abstract:
            Message.kinds[cls.verb] = cls

    def to_plain(self, request: int) -> dict[str, Any]:
        """The message as plain data for the pipe, with the id `request`."""
        return {"id": request, "do": self.verb, **dataclasses.asdict(self)}  # type: ignore[call-overload]

    @classmethod
    def from_plain(cls: type[_M], message: dict[str, Any]) -> _M:
        """The inverse of `to_plain`. Raises JobError that names the field."""
        fields = {name: value for name, value in message.items() if name not in ("id", "do")}
        read: _M = json_codec.decode(fields, cls, cls.verb)
        return read


@dataclass(frozen=True)
class Cancel(Message):
    """Stop the request with this id, which then ends with CANCELLED. Other requests continue. It has no answer."""

    request: int


@dataclass(frozen=True)
class Quit(Message):
    """End the engine, as closing its stdin does."""


@dataclass(frozen=True)
class Request(Message, abstract=True):
    """A message that is answered by `done` or `error`.

    newest_only: the request is answered as soon as possible, even between two frames of a running Job. A waiting
        request ends with CANCELLED when a newer one of its kind arrives.
    """

    newest_only: ClassVar[bool] = False

    job: Job


@dataclass(frozen=True)
class Track(Request):
    """Track the frames that the Job needs and the matte store lacks."""


@dataclass(frozen=True)
class Retrack(Request):
    """Delete the mattes of the wanted frames from the store, then track them again."""


@dataclass(frozen=True)
class Export(Request):
    """Track, then write a version. `done` has its folder.

    picked_from: the `found` folder that the Job's subjects were picked from; empty if nothing was picked.
    """

    picked_from: str = ""


@dataclass(frozen=True)
class Review(Request):
    """Look for suspects in the tracked mattes again.

    poses: path of a COLMAP model's folder or of a transforms.json, to check the mattes in 3-D as well; empty: no check.
    """

    poses: str = ""


@dataclass(frozen=True)
class Clean(Request):
    """Hold a trained splat against the mattes of the Job's latest version that has them as images.

    splat: the trainer's PLY, which is never changed.
    poses: that it was trained with, as of Review.
    views: cameras that must see a Gaussian outside.
    floaters: also those go that some cameras see on the subject.
    write: the rest into a new file beside it, which `done` carries; otherwise they are only counted.
    """

    splat: str
    poses: str
    views: int
    floaters: bool
    write: bool


@dataclass(frozen=True)
class Farm(Request):
    """Write a bundle of the Job for a farm; `done` carries its folder, and as `command` how it is sent, or nothing.

    engine: the farm's program, by its name in engine/farm/engines.py.
    folder: of the bundle, which must not be there yet.
    runtime, code: folders that workers see, of the engine and of the extension; empty: this computer's.
    manager: the address of Flamenco's manager, which it is sent to; empty: it is not sent.
    """

    engine: str
    folder: str
    runtime: str
    code: str
    manager: str


@dataclass(frozen=True)
class Repair(Request):
    """Offer new mattes for what is doubtful of what is tracked; `done` carries the file.

    poses: as of Review; what the other cameras see counts then.
    """

    poses: str = ""


@dataclass(frozen=True)
class Outlines(Request):
    """The outlines of tracked mattes, as they would be exported, for Blender's mask splines. `done` has the file.

    frames: clip frames.
    points: number of points of each curve.
    """

    frames: tuple[int, ...]
    points: int


@dataclass(frozen=True)
class Suggest(Request):
    """The automatic masks of clip frame `frame`, as outlines. `done` has the file."""

    frame: int


@dataclass(frozen=True)
class Select(Request):
    """Which frames are sharp, and lie apart; `done` carries the file.

    count: of frames to keep, at most; 0: all that are sharp and no duplicates.
    takes: by object, the folder of its mattes: sharpness is measured there; empty: on the whole frame.
    """

    count: int
    takes: dict[str, str]


@dataclass(frozen=True)
class FindStatic(Request):
    """Find what never moves in the picture while the camera does; `done` carries the file of the mask."""


@dataclass(frozen=True)
class Preview(Request):
    """The mattes of clip frame `frame`, without tracking. `done` has the file."""

    newest_only: ClassVar[bool] = True

    frame: int


@dataclass(frozen=True)
class Finish(Request):
    """The finished mattes of clip frame `frame` for the overlay, made without the model. `done` has the file.

    takes: the folder of each object's take, by the object's name; empty: the frame's last preview is used.
    """

    newest_only: ClassVar[bool] = True

    frame: int
    takes: dict[str, str]


@dataclass(frozen=True)
class Found(Request):
    """The things or parts that were found on clip frame `frame`, as numbered outlines, read from disk.

    `done` has the file, and the folder of the search's results.
    """

    newest_only: ClassVar[bool] = True

    frame: int
