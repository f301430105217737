"""Nerfstudio: masks, and a copy of the data set's transforms.json with a `mask_path` in every frame.

Nerfstudio's dataparser requires a mask for all frames or for none, and resolves paths from the file's own folder. The
rest of the file is copied byte by byte: numbers keep all their digits, and unknown fields stay.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ...contract.disk import write_bytes
from ...contract.errors import JobError
from ...contract.job import Job
from ..footage.footage import Reader
from ..footage.frame_names import FrameNames
from . import masks
from .scope import kept_of
from .writer import MatteOf, Step, Write

_BOM = "\ufeff"
_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")


class Writer(masks.Writer):
    """Writes masks and transforms.json."""

    def __init__(self, job: Job, reader: Reader) -> None:
        super().__init__(job, reader)
        if not job.transforms:
            raise JobError(
                "No transforms.json is named.",
                where="transforms",
                hint="Name that of the data set with these images.",
            )
        self._text = _read(job.transforms)
        self._needed = _frames_of(self._text, job, reader)

    def frames(self, tracked: Sequence[int]) -> Sequence[int]:
        """The tracked frames, which must include every kept frame of transforms.json. Raises JobError otherwise."""
        lacking = sorted(set(kept_of(self.job.delivery, self._needed)) - set(tracked))
        if lacking:
            raise JobError(
                f"{len(lacking)} of its images have no matte, {self.reader.file_name(lacking[0])} is the first; "
                "nerfstudio wants masks for all or none.",
                where=self.job.transforms,
                hint="Track all of them, both ways.",
            )
        return tracked

    def other_files(self, frames: Sequence[int], matte: MatteOf, step: Step) -> Mapping[str, Write]:
        """transforms.json, with paths of masks relative to its own folder."""
        kept = set(kept_of(self.job.delivery, self._needed))
        text = with_mask_paths(self._text, [self.path(frame) if frame in kept else None for frame in self._needed])
        return {"transforms.json": functools.partial(write_bytes, data=text.encode())}


def with_mask_paths(text: str, mask_paths: Sequence[str | None]) -> str:
    """Set `mask_path` of every frame in the text of a transforms.json, in the order of its `frames`.

    Frames whose path is None are removed. The rest of the text does not change.
    """
    frames = list(_frames(text))
    staying = [span for span, path in zip(frames, mask_paths, strict=True) if path is not None]
    if len(staying) < len(frames):
        between = text[frames[0].end : frames[1].start]
        listed = between.join(text[span.start : span.end] for span in staying)
        text = text[: frames[0].start] + listed + text[frames[-1].end :]
        frames = list(_frames(text))
    pieces = []
    done = 0
    for frame, path in zip(frames, filter(None, mask_paths), strict=True):
        value = json.dumps(path, ensure_ascii=False)
        members = _members(text, frame.start)
        if "mask_path" in members:
            there = members["mask_path"]
            pieces += [text[done : there.start], value]
        else:
            there = members["file_path"]
            space = _SPACE.match(text, there.before)
            pieces += [text[done : there.end], ",", space[0] if space else "", f'"mask_path": {value}']
        done = there.end
    return "".join([*pieces, text[done:]])


def _read(file: str) -> str:
    """Read the text of a transforms.json. Raises JobError that names the file if it is not one."""
    try:
        text = Path(file).read_bytes().decode()
        data = json.loads(text.removeprefix(_BOM))
    except OSError as error:
        raise JobError(f"This file can't be read: {error.strerror}.", where=file) from None
    except (ValueError, RecursionError) as error:
        raise JobError(f"This is not JSON: {error}.", where=file) from None
    frames = data.get("frames") if isinstance(data, dict) else None
    if not isinstance(frames, list) or not frames:
        raise JobError("It has no frames.", where=file, hint="Name a transforms.json as nerfstudio reads it.")
    for i, entry in enumerate(frames):
        if not isinstance(entry, dict) or not isinstance(entry.get("file_path"), str):
            raise JobError(f"frames[{i}] has no file_path.", where=file)
    return text


def _frames_of(text: str, job: Job, reader: Reader) -> list[int]:
    """The clip frame of every entry. Raises JobError if an entry matches no image, or two match the same image."""
    names = FrameNames(reader, job.footage.frame_count)
    found: dict[int, str] = {}
    for entry in json.loads(text.removeprefix(_BOM))["frames"]:
        frame = names.find(entry["file_path"])
        name = " ".join(entry["file_path"].split())  # a line break would break up the message
        if frame is None:
            raise JobError(
                f"{name} is not an image of this footage.",
                where=job.transforms,
                hint="Open the images of the data set as footage, or name its own transforms.json.",
            )
        if frame in found:
            raise JobError(f"{found[frame]} and {name} both match {reader.file_name(frame)}.", where=job.transforms)
        found[frame] = name
    return list(found)


class _Span(NamedTuple):
    """The position of a value in JSON text. before: where the white space before its key begins."""

    before: int
    start: int
    end: int


def _frames(text: str) -> Iterator[_Span]:
    at = _after_space(text, len(_BOM) if text.startswith(_BOM) else 0)
    at = _members(text, at)["frames"].start + 1
    while text[at := _after_space(text, at)] != "]":
        _, end = _DECODER.raw_decode(text, at)
        yield _Span(at, at, end)
        at = _after_space(text, end)
        at += text[at] == ","


def _members(text: str, at: int) -> dict[str, _Span]:
    """The positions of all values of the JSON object that begins at `at`. The text must be valid JSON."""
    found = {}
    before = at + 1
    while text[at := _after_space(text, before)] != "}":
        key, at = _DECODER.raw_decode(text, at)
        start = _after_space(text, _after_space(text, at) + 1)
        _, end = _DECODER.raw_decode(text, start)
        found[key] = _Span(before, start, end)
        before = _after_space(text, end)
        before += text[before] == ","
    return found


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
