"""The matte store: tracked mattes on disk, so that nothing is computed twice or lost.

    <matte folder>/work/objects/<object>-<key>/
        object.json, matte/, suspects.json     see contract/layout.py; Blender reads these, too
        memory/000012.pt        SAM 2's memory of that frame, while a later frame may still read it
        conditioning/000001.pt  the same for prompted frames
        measures.npz            measures of the mattes (review/measures.py)
        agreement.json          how far two ways of tracking agree, where they do (review/second_opinion.py)
        hull.json               their disagreements in 3-D, once they have been checked (review/visual_hull.py)

The key is a hash of everything that decides a track (footage, prompts, model, direction). So an object with changed
prompts gets a new folder, and one with unchanged prompts finds its mattes again. The Job can make all of `work` again.
Files are written under a temporary name and renamed, so a killed engine leaves only complete files.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...contract.boundary import read_or, reading
from ...contract.disk import discard, explained, newest_first, patiently, write_bytes, write_file, writing
from ...contract.errors import OutputError
from ...contract.job import Job
from ...contract.layout import (
    KEY_LENGTH,
    TAKE_FILE,
    frame_name,
    frames_in,
    matte_file,
    mattes_folder,
    take_key,
    takes_folder,
)
from .ownership import HeldError, Ownership, is_marked, marking, owning

STORE_VERSION = 1  # raise it when the same Job gives different mattes
_ANSWERS_STAY = 86_400.0  # seconds until answers of engines that have ended are deleted
_READER = "reader"  # the kind of the marks of engines that read a take
_REVIEW_PATIENCE = 600.0  # seconds; another engine's review takes a fraction of that
_MAX_MATTE = 64_000_000  # bytes, unpacked; a model with an input of 2048 pixels needs 0.5 million
_KEPT_TAKES = 4  # number of newest takes that are kept for each object, so that undo finds its mattes again


@dataclass(frozen=True, slots=True)
class Matte:
    """The matte of one object on one frame.

    logits: float16 (h, w), above 0 inside the subject, squashed from the plate's aspect to the model's square.
    iou: SAM 2's estimate of the mask's IoU with the truth, 0..1; 1 for a mask prompt.
    object_score: a logit; below 0 SAM 2 takes the object as hidden.
    """

    logits: NDArray[np.float16]
    iou: float
    object_score: float


def key_of(facts: dict[str, Any]) -> str:
    """The sha256 of plain data, in hexadecimal."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class Take:
    """The tracked mattes of one object, under one key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.owner: Ownership | None = None  # while it is open for writing

    def _path(self, kind: str, frame: int, suffix: str) -> Path:
        return self.folder / kind / frame_name(frame, suffix)

    @property
    def measures_path(self) -> Path:
        """The file of the measures of its mattes (review/measures.py)."""
        return self.folder / "measures.npz"

    def frames(self) -> list[int]:
        """The tracked clip frames, in clip order."""
        return frames_in(mattes_folder(self.folder), ".npz")

    def has_matte(self, frame: int) -> bool:
        """Whether `frame` is tracked."""
        return matte_file(self.folder, frame).exists()

    def matte(self, frame: int) -> Matte | None:
        """The matte of clip frame `frame`; None if it is not tracked. Raises OutputError if its file is damaged."""
        with self._reading(frame) as data:
            if data is None:
                return None
            logits = data["logits"]
            if logits.dtype != np.float16 or logits.ndim != 2 or not np.isfinite(logits).all():
                raise ValueError("it has no valid logits")
            return Matte(logits, float(data["iou"]), float(data["object_score"]))

    def tracked(self, frame: int) -> Matte:
        """The matte of a frame that has been tracked. Raises OutputError if it is gone or damaged."""
        found = self.matte(frame)
        if found is None:
            raise OutputError(
                f"The matte of frame {frame} is gone.",
                where=str(self.folder),
                hint="It was tracked, and something has deleted or forgotten it since. Run it again.",
            )
        return found

    @contextlib.contextmanager
    def reviewing(self) -> Iterator[None]:
        """Lock the files about the mattes (measures, suspects), so that no other process overwrites them with old data.

        Other processes wait, so hold it only briefly. Raises OutputError.
        """
        review = self.folder.with_name(f"{self.folder.name}.review")
        with writing(self.folder), owning(review, _REVIEW_PATIENCE):
            yield

    def scores(self, frame: int) -> tuple[float, float] | None:
        """The predicted IoU and the object score of a frame, read without its logits; None if it is not tracked."""
        with self._reading(frame) as data:
            return data and (float(data["iou"]), float(data["object_score"]))

    @contextlib.contextmanager
    def _reading(self, frame: int) -> Iterator[Any]:
        path = matte_file(self.folder, frame)
        with reading(OutputError, "This stored matte is damaged", where=str(path), hint="Delete it and track again."):
            try:
                opened = np.load(path, allow_pickle=False)
            except FileNotFoundError:
                yield None
                return
            with opened as data:
                if max(entry.file_size for entry in data.zip.infolist()) > _MAX_MATTE:
                    raise ValueError("it unpacks to more bytes than any matte has")
                yield data

    def put_matte(self, frame: int, matte: Matte, *, compressed: bool = True) -> None:
        """Write the matte of a frame. Raises OutputError if that is impossible.

        Compressing takes most of the time. `compress` can do it later.
        """
        save = np.savez_compressed if compressed else np.savez
        self._write(
            matte_file(self.folder, frame),
            lambda file: save(
                file,
                logits=matte.logits,
                iou=np.float32(matte.iou),
                object_score=np.float32(matte.object_score),
            ),
        )

    def compress(self, frame: int) -> None:
        """Compress the matte of a frame, if it is not compressed yet and nobody is tracking. Raises OutputError.

        The file keeps its time, so the overlay does not read it again.
        """
        with self._reading(frame) as data:
            if data is None or all(entry.compress_type != zipfile.ZIP_STORED for entry in data.zip.infolist()):
                return
        path = matte_file(self.folder, frame)
        with writing(self.folder), contextlib.suppress(HeldError), owning(self.folder, None):
            matte = self.matte(frame)  # again: the engine that was tracking may have deleted it meanwhile
            if matte is not None:
                made = path.stat().st_mtime_ns
                self.put_matte(frame, matte)
                os.utime(path, ns=(made, made))

    def put_state(self, frame: int, save: Callable[[BinaryIO], None], *, conditioning: bool) -> None:
        """Write SAM 2's memory of `frame` by calling `save`. Raises OutputError if that is impossible."""
        self._write(self.state_path(frame, conditioning=conditioning), save)

    def _check(self) -> None:
        """Before each change. Raises OutputError: another engine has gone on with this take."""
        if self.owner is not None:
            self.owner.check()

    def _write(self, path: Path, write: Callable[[BinaryIO], None]) -> None:
        self._check()
        with writing(self.folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, write, sync=False)

    def state_path(self, frame: int, *, conditioning: bool) -> Path:
        """The file of SAM 2's memory of `frame`, which may not exist."""
        return self._path("conditioning" if conditioning else "memory", frame, ".pt")

    def forget_matte(self, frame: int) -> None:
        """Delete the matte of a frame, which then counts as not tracked."""
        self._check()
        with contextlib.suppress(FileNotFoundError):
            patiently(matte_file(self.folder, frame).unlink)

    def conditioning_frames(self) -> list[int]:
        """The clip frames whose conditioning memory is on disk, in clip order."""
        return frames_in(self.folder / "conditioning", ".pt")

    def forget_state(self, frame: int) -> None:
        """Delete the memory of a frame that no later frame reads."""
        self._check()
        with contextlib.suppress(FileNotFoundError):
            patiently(self.state_path(frame, conditioning=False).unlink)

    def describe(self, facts: dict[str, Any]) -> None:
        """Make the folder and write the facts behind its key to `object.json`. Raises OutputError."""
        text = json.dumps(facts, indent=1, ensure_ascii=False).encode()
        self._write(self.folder / TAKE_FILE, lambda file: write_bytes(file, text))

    def facts(self) -> dict[str, Any]:
        """The facts behind its key, as `describe` wrote them; empty if they are missing or damaged."""

        def read() -> dict[str, Any]:
            return dict(json.loads((self.folder / TAKE_FILE).read_text(encoding="utf-8")))

        return read_or({}, read)

    def held_keys(self) -> set[str]:
        """The keys of the takes that its held frames come from."""
        return read_or(set(), lambda: {str(held["take"]) for held in self.facts().get("held", ())})

    def clear(self) -> None:
        """Delete everything in the take. Used when tracking can't continue from its files."""
        self._check()
        for kind in ("matte", "memory", "conditioning"):
            discard(self.folder / kind)


def compressing(takes: Iterable[Take]) -> Iterator[None]:
    """Compress uncompressed mattes, one per step of the iterator. Mattes that can't be compressed stay as they are."""
    for take in takes:
        frames: list[int] = []
        with contextlib.suppress(OutputError, OSError):
            frames = take.frames()
        for frame in frames:
            with contextlib.suppress(OutputError):
                take.compress(frame)
            yield


@contextlib.contextmanager
def holding(folders: Iterable[Path]) -> Iterator[None]:
    """Keep other engines from deleting folders of takes or searches while they are read. Many can read at once.

    Raises:
        OutputError: the folders can't be marked as read.
    """
    with contextlib.ExitStack() as marks:
        for folder in folders:
            with writing(folder):
                folder.parent.mkdir(parents=True, exist_ok=True)
                marks.enter_context(marking(folder, _READER))
        yield


def is_read(folder: Path) -> bool:
    """Whether an engine is reading a folder. Marks of engines that have ended are removed."""
    return is_marked(folder, _READER)


class Store:
    """The matte store of one clip."""

    def __init__(self, job: Job) -> None:
        self.folder = takes_folder(job.matte_folder)

    def take(self, name: str, facts: dict[str, Any]) -> Take:
        """The take of the object `name` under the hash of `facts`. Its folder may not exist yet."""
        return Take(self.folder / f"{_slug(name)}-{key_of(facts)[:KEY_LENGTH]}")

    def try_out(self, names: Iterable[str]) -> None:
        """Check that takes of these objects can be written: permissions and lengths of paths. Raises OutputError."""
        for name in names:
            take = Take(self.folder / f"{_slug(name)}-{os.getpid():0{KEY_LENGTH}d}")
            try:
                take.put_state(1, lambda file: None, conditioning=True)
            finally:
                discard(take.folder)

    def adopt(self, takes: dict[str, tuple[Take, dict[str, Any]]]) -> None:
        """Reuse takes that an object has under an earlier name, as the name decides nothing but the folder."""
        for name, (take, facts) in takes.items():
            if take.folder.exists():
                continue
            for other in self.folder.glob(f"*{take.folder.name[-KEY_LENGTH - 1 :]}"):
                # another object with the same prompts keeps its take, and so does one that is being tracked
                with contextlib.suppress(OSError, ValueError, KeyError, HeldError):
                    owner = json.loads((other / TAKE_FILE).read_text(encoding="utf-8"))["name"]
                    if owner not in takes:
                        with owning(other, None):
                            patiently(functools.partial(other.rename, take.folder))
                        take.describe({"name": name, **facts})
                        break

    @contextlib.contextmanager
    def open_for_writing(self, takes: dict[str, tuple[Take, dict[str, Any]]], patience: float = 0.0) -> Iterator[None]:
        """Make the folders of these takes and keep other engines from changing them.

        Raises:
            OutputError: a folder can't be written, or another engine is tracking the same object and does not end
                within `patience` seconds.
        """
        with contextlib.ExitStack() as owned:
            for name, (take, facts) in sorted(takes.items()):
                take.describe({"name": name, **facts})
                try:
                    take.owner = owned.enter_context(owning(take.folder, patience))
                except HeldError as held:
                    raise OutputError(
                        f"Another engine is tracking {name!r} of this clip right now: {held.owner}.",
                        where=str(take.folder),
                        hint=held.hint,
                    ) from None
                except OSError as error:  # the folder may have vanished since
                    raise explained(error, self.folder) from error
                owned.callback(setattr, take, "owner", None)
            yield
            for name, (take, _) in takes.items():
                self._prune(name, take)

    def put_preview(self, found: dict[str, NDArray[np.float16]]) -> Path:
        """Write a preview, logits (h, w) by object name, in place of the last one. Returns its file."""
        names, logits = np.array(list(found), str), np.array(list(found.values()), np.float16)
        return self._put("preview.npz", names=names, logits=logits)

    def put_finished(self, found: dict[str, NDArray[np.uint8]]) -> Path:
        """Write finished mattes (h, w) by object name, in place of the last ones. Returns their file."""
        names, alpha = np.array(list(found), str), np.array(list(found.values()), np.uint8)
        return self._put("finished.npz", names=names, alpha=alpha)

    def _put(self, name: str, **arrays: Any) -> Path:
        return self._put_answer(name, lambda file: np.savez(file, **arrays))

    def _put_answer(self, name: str, write: Callable[[BinaryIO], None]) -> Path:
        """Write an answer to a file named after this process, as other Blenders may work on the same footage."""
        stem, suffix = name.split(".")
        folder = self.folder.parent
        path = folder / f"{stem}-{os.getpid()}.{suffix}"
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for other in folder.glob(f"{stem}-*.{suffix}"):
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - other.stat().st_mtime > _ANSWERS_STAY:
                        patiently(other.unlink)
            write_file(path, write, sync=False)
        return path

    def put_json(self, name: str, found: dict[str, Any]) -> Path:
        """Write an answer as JSON, in place of the last one. Returns its file. Raises OutputError."""
        return self._put_answer(f"{name}.json", lambda file: write_bytes(file, json.dumps(found).encode()))

    def newest(self, name: str, frame: int) -> Take | None:
        """The newest take of an object, under any key, with a matte of clip frame `frame`; None if there is none."""
        takes = (Take(folder) for folder in self._folders(_slug(name)))
        return next((take for take in takes if take.has_matte(frame)), None)

    def by_key(self, name: str, key: str) -> Take:
        """The take under `key`: that of the object `name`, or another object's, as it has the same mattes.

        It may not exist.
        """
        own = self.folder / f"{_slug(name)}-{key}"
        return Take(own if own.exists() else next(iter(sorted(self.folder.glob(f"*-{key}"))), own))

    def _folders(self, slug: str) -> list[Path]:
        """The folders of all takes of an object, the newest first."""
        named = re.compile(re.escape(slug) + rf"-[0-9a-f]{{{KEY_LENGTH}}}")
        return [path for path in newest_first(self.folder) if named.fullmatch(path.name)]

    def _prune(self, name: str, newest: Take) -> None:
        """Delete the oldest takes of an object, but never `newest`, nor one that a newer take holds frames of."""
        others = [path for path in self._folders(_slug(name)) if path != newest.folder]
        recent, old = others[: _KEPT_TAKES - 1], others[_KEPT_TAKES - 1 :]
        held = {key for folder in (newest.folder, *recent) for key in Take(folder).held_keys()}
        for path in old:
            if take_key(path) in held:
                continue
            with contextlib.suppress(OSError, HeldError), owning(path, None):
                if not is_read(path):
                    discard(path)


def _slug(name: str) -> str:
    """An object's name as part of a file name. It is readable, and different for different names."""
    readable = re.sub(r"[^\w-]+", "_", name)[:40]
    return f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
