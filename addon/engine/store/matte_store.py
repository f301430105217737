"""The matte store: what was tracked, on disk, so that nothing is ever computed twice or lost.

    <matte folder>/work/objects/<object>-<key>/
        object.json, matte/, suspects.json     contract/layout.py: Blender reads these too
        memory/000012.pt        SAM 2's memory of that frame, as long as a later frame can still read it
        conditioning/000001.pt  the same for prompted frames
        measures.npz            numbers about the mattes (measures.py)
        hull.json               how far they disagree in 3-D, once that was checked (hull.py)
        suspects.json           where they are doubtful, and why (review.py)

The key is a hash of all that decides a track (footage, prompts, model, direction), so a changed prompt gets a new
folder and an unchanged one finds its mattes again. Deleting `work` loses nothing that the Job can't remake. Files are
written under a temporary name and renamed: a killed engine leaves whole files only.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import json
import os
import re
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import filelock
import numpy as np
from numpy.typing import NDArray

from ...contract.boundary import reading
from ...contract.disk import discard, explained, newest_first, patiently, write_bytes, write_file, writing
from ...contract.errors import OutputError
from ...contract.job import Job
from ...contract.layout import TAKE_FILE, frame_name, frames_in, matte_file, mattes_folder, takes_folder

STORE_VERSION = 1  # raise it when the same Job would give other mattes
_ANSWERS_STAY = 86_400.0  # seconds, for those of engines that have ended
_KEY_LENGTH = 20
_READER = ".reader-"  # then process and count: held by who reads a take
_count = itertools.count()
_MAX_MATTE = 64_000_000  # bytes, unpacked: of a model's input of 2048 pixels it is 0.5 million
_KEPT_TAKES = 4  # folders kept an object, newest first: undo finds its mattes again


@dataclass(frozen=True, slots=True)
class Matte:
    """One object on one frame.

    logits: float16 (h, w), above 0 is subject, squashed from the plate's aspect to the model's square.
    iou: SAM 2's own estimate of the mask's intersection over union, 0..1; of a given mask, 1.
    object_score: logit; below 0 the object is thought to be hidden.
    """

    logits: NDArray[np.float16]
    iou: float
    object_score: float


def key_of(facts: dict[str, Any]) -> str:
    """sha256 of plain data, hexadecimal."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class Take:
    """What is tracked of one object under one key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, kind: str, frame: int, suffix: str) -> Path:
        return self.folder / kind / frame_name(frame, suffix)

    @property
    def measures_path(self) -> Path:
        """Where numbers about the mattes are kept (measures.py)."""
        return self.folder / "measures.npz"

    def frames(self) -> list[int]:
        """The clip frames that are tracked, in clip order."""
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
                raise ValueError("its logits are none")
            return Matte(logits, float(data["iou"]), float(data["object_score"]))

    def tracked(self, frame: int) -> Matte:
        """The matte of a frame that is known to be tracked. Raises OutputError if it is gone, or damaged."""
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
        """Hold what is said about the mattes, so that nobody overwrites it by what was true earlier.

        Not for long: whoever comes next waits. Raises OutputError.
        """
        with writing(self.folder), filelock.FileLock(self.folder.with_name(f"{self.folder.name}.review.lock")):
            yield

    def scores(self, frame: int) -> tuple[float, float] | None:
        """Predicted IoU and object score of a frame, without reading its logits; None if it is not tracked."""
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
                    raise ValueError("it unpacks to more than any matte")
                yield data

    def put_matte(self, frame: int, matte: Matte, *, compressed: bool = True) -> None:
        """Keep the matte of a frame. Raises OutputError if it can't be written.

        Compressing takes most of the time, which `compress` can do later.
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
        """Let the matte of a frame take less room, if it is not compressed and nobody is tracking.

        It stays as old as it is: who shows it need not read it again. Raises OutputError.
        """
        with self._reading(frame) as data:
            if data is None or all(entry.compress_type != zipfile.ZIP_STORED for entry in data.zip.infolist()):
                return
        path = matte_file(self.folder, frame)
        with writing(self.folder), contextlib.suppress(filelock.Timeout), self.lock().acquire(blocking=False):
            matte = self.matte(frame)  # once more: whoever was tracking may have forgotten it meanwhile
            if matte is not None:
                made = path.stat().st_mtime_ns
                self.put_matte(frame, matte)
                os.utime(path, ns=(made, made))

    def lock(self) -> filelock.BaseFileLock:
        """What an engine that tracks holds."""
        return filelock.FileLock(self.folder.with_name(self.folder.name + ".lock"))

    def put_state(self, frame: int, save: Callable[[BinaryIO], None], *, conditioning: bool) -> None:
        """Keep SAM 2's memory of `frame`, as `save` writes it. Raises OutputError if it can't be written."""
        self._write(self.state_path(frame, conditioning=conditioning), save)

    def _write(self, path: Path, write: Callable[[BinaryIO], None]) -> None:
        with writing(self.folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, write, sync=False)

    def state_path(self, frame: int, *, conditioning: bool) -> Path:
        """The file of SAM 2's memory of `frame`; it may not be there."""
        return self._path("conditioning" if conditioning else "memory", frame, ".pt")

    def forget_matte(self, frame: int) -> None:
        """Count a frame as not tracked again."""
        with contextlib.suppress(FileNotFoundError):
            patiently(matte_file(self.folder, frame).unlink)

    def conditioning_frames(self) -> list[int]:
        """The clip frames whose prompted memory is kept, in clip order."""
        return frames_in(self.folder / "conditioning", ".pt")

    def forget_state(self, frame: int) -> None:
        """Drop the memory of a frame that no later frame reads."""
        with contextlib.suppress(FileNotFoundError):
            patiently(self.state_path(frame, conditioning=False).unlink)

    def describe(self, facts: dict[str, Any]) -> None:
        """Say for people what this is; makes its folder. Raises OutputError."""
        text = json.dumps(facts, indent=1, ensure_ascii=False).encode()
        self._write(self.folder / TAKE_FILE, lambda file: write_bytes(file, text))

    def clear(self) -> None:
        """Forget everything: used when what is there can't be continued."""
        for kind in ("matte", "memory", "conditioning"):
            discard(self.folder / kind)


def compressing(takes: Iterable[Take]) -> Iterator[None]:
    """Compress what was kept uncompressed, a matte a step; what can't be is left as it is."""
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
    """While takes, or what searches found, are read, no engine prunes their folders. Any number may read at once.

    Raises OutputError if they can't be marked.
    """
    with contextlib.ExitStack() as locks:
        for folder in folders:
            mark = folder.with_name(f"{folder.name}{_READER}{os.getpid()}-{next(_count)}")
            with writing(folder):
                mark.parent.mkdir(parents=True, exist_ok=True)
                locks.callback(_remove, mark)
                locks.enter_context(filelock.FileLock(mark).acquire())
        yield


def _remove(mark: Path) -> None:
    with contextlib.suppress(OSError):  # with all that is around it, perhaps
        patiently(lambda: mark.unlink(missing_ok=True))


def is_read(folder: Path) -> bool:
    """Whether an engine reads a folder; marks of those that have died are removed."""
    held = False
    for mark in folder.parent.glob(f"{folder.name}{_READER}*"):
        lock = filelock.FileLock(mark)
        try:
            lock.acquire(blocking=False).lock.release()
        except filelock.Timeout:
            held = True
        else:
            _remove(mark)
    return held


class Store:
    """The matte store of one clip."""

    def __init__(self, job: Job) -> None:
        self.folder = takes_folder(job.matte_folder)

    def take(self, name: str, facts: dict[str, Any]) -> Take:
        """The folder of what is tracked of the object `name` under the hash of `facts`; may not exist yet."""
        return Take(self.folder / f"{_slug(name)}-{key_of(facts)[:_KEY_LENGTH]}")

    def try_out(self, names: Iterable[str]) -> None:
        """See that takes of these objects can be written: rights, and the lengths of paths. Raises OutputError."""
        for name in names:
            take = Take(self.folder / f"{_slug(name)}-{os.getpid():0{_KEY_LENGTH}d}")
            try:
                take.put_state(1, lambda file: None, conditioning=True)
            finally:
                discard(take.folder)

    def adopt(self, takes: dict[str, tuple[Take, dict[str, Any]]]) -> None:
        """Take over what was tracked of an object under another name: the name decides nothing but the folder."""
        for name, (take, facts) in takes.items():
            if take.folder.exists():
                continue
            for other in self.folder.glob(f"*{take.folder.name[-_KEY_LENGTH - 1 :]}"):
                lock = filelock.FileLock(other.with_name(other.name + ".lock"))
                # another object with the very same prompts keeps its own; so does one that is being tracked
                with contextlib.suppress(OSError, ValueError, KeyError, filelock.Timeout):
                    owner = json.loads((other / TAKE_FILE).read_text(encoding="utf-8"))["name"]
                    if owner not in takes:
                        with lock.acquire(blocking=False):
                            patiently(functools.partial(other.rename, take.folder))
                        take.describe({"name": name, **facts})
                        break

    @contextlib.contextmanager
    def open_for_writing(self, takes: dict[str, tuple[Take, dict[str, Any]]]) -> Iterator[None]:
        """Hold the takes of the objects named: create their folders, keep other engines out.

        Raises OutputError if the folder can't be written or another engine is tracking the same object.
        """
        with contextlib.ExitStack() as locks:
            for name, (take, facts) in sorted(takes.items()):
                take.describe({"name": name, **facts})
                try:
                    locks.enter_context(take.lock().acquire(blocking=False))
                except filelock.Timeout:
                    raise OutputError(
                        f"Another engine is tracking {name!r} of this clip right now.",
                        where=str(take.folder),
                        hint="Wait until it is done or stop it.",
                    ) from None
                except OSError as error:  # the folder may have vanished since
                    raise explained(error, self.folder) from error
            yield
            for name, (take, _) in takes.items():
                self._prune(name, take)

    def put_preview(self, found: dict[str, NDArray[np.float16]]) -> Path:
        """Keep the logits (h, w) of a frame by object, instead of the last ones. Returns the file."""
        names, logits = np.array(list(found), str), np.array(list(found.values()), np.float16)
        return self._put("preview.npz", names=names, logits=logits)

    def put_finished(self, found: dict[str, NDArray[np.uint8]]) -> Path:
        """Keep the finished mattes (h, w) of a frame by object, instead of the last ones. Returns the file."""
        names, alpha = np.array(list(found), str), np.array(list(found.values()), np.uint8)
        return self._put("finished.npz", names=names, alpha=alpha)

    def _put(self, name: str, **arrays: Any) -> Path:
        return self._put_answer(name, lambda file: np.savez(file, **arrays))

    def _put_answer(self, name: str, write: Callable[[BinaryIO], None]) -> Path:
        """A file that only who asked reads: named by this process, as other Blenders may be at the same footage."""
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
        """Keep outlines and the like, instead of the last ones. Returns the file. Raises OutputError."""
        return self._put_answer(f"{name}.json", lambda file: write_bytes(file, json.dumps(found).encode()))

    def newest(self, name: str, frame: int) -> Take | None:
        """The newest take of an object, under any key, that has a matte of clip frame `frame`."""
        takes = (Take(folder) for folder in self._folders(_slug(name)))
        return next((take for take in takes if take.has_matte(frame)), None)

    def _folders(self, slug: str) -> list[Path]:
        """All takes of an object, newest first."""
        named = re.compile(re.escape(slug) + rf"-[0-9a-f]{{{_KEY_LENGTH}}}")
        return [path for path in newest_first(self.folder) if named.fullmatch(path.name)]

    def _prune(self, name: str, newest: Take) -> None:
        """Remove the oldest takes of an object, `newest` never."""
        others = [path for path in self._folders(_slug(name)) if path != newest.folder]
        for path in others[_KEPT_TAKES - 1 :]:
            lock = filelock.FileLock(path.with_name(path.name + ".lock"))
            try:
                with lock.acquire(blocking=False):
                    if not is_read(path):
                        discard(path)
            except OSError:  # it is held (filelock.Timeout is one), or gone
                continue


def _slug(name: str) -> str:
    """An object's name as part of a file name: readable, and no two names alike."""
    readable = re.sub(r"[^\w-]+", "_", name)[:40]
    return f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
