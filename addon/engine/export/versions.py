"""Version folders v001, v002, ... They appear complete or not at all, even if several exports run at once.

    <matte folder>/v001/                       only images and the other files of their target
    <matte folder>/v001.json                   the Job and the report
    <matte folder>/work/.export-<key>.<owner>/ an unfinished version; -2, -3, ... if the same is exported twice at once
    <matte folder>/work/.swap-v001-<stamp>/    the new v001, complete; the next process that comes puts it in place
    <matte folder>/work/.versions              owned for a moment by the process that takes a folder or a number
    <matte folder>/work/.pieces-<key>/         frames that farms write ahead, several at once; nobody owns it
    <matte folder>/v001/.report.json           v001.json, until it is moved there

store/ownership.py explains ownership. The folder of an unfinished version has its owner's name. A process whose
ownership was taken over finds its folder gone, so it can't publish anything.

The key determines the content of the frames, so a frame under its final name is finished and is kept. Publishing a
version removes the unfinished versions that no process writes to, because they are superseded.

Continuing a version makes a complete new one, with hard links to the files that stay, and puts it in place of the old
one. At any time, even after a power cut, either the old version or the new one is there.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from ...contract.boundary import read_or
from ...contract.disk import discard, exchange, patiently, sync_folder, write_data, write_file, writing
from ...contract.errors import JobError, OutputError
from ...contract.layout import version_document, version_folder, version_number, work_folder
from ..store.ownership import HeldError, Ownership, acquire, owning

_PREFIX = ".export-"
_PIECES = ".pieces-"
_SWAP = ".swap-"
_REPORT = ".report.json"
_PATIENCE = 600.0  # seconds to wait for another owner of `.versions`; without hard links, it may copy files
_STAMP_LENGTH = 12
_PIECES_STAY = 7 * 86_400.0  # seconds; they have no owner that could be asked
_INCOMING = ".incoming"  # marks a version that is about to take its place, to tell it from the old one


@dataclass(frozen=True, slots=True)
class Version:
    """A finished version. facts: the export's part of the report in vNNN.json; stamp: changes with the version."""

    folder: Path
    facts: Mapping[str, Any]
    stamp: str

    def has(self, name: str) -> bool:
        """Whether the version has the file `name`."""
        return (self.folder / name).is_file()


def find(matte_folder: Path, name: str, settings: Mapping[str, Any]) -> Version | None:
    """Find a finished version that was written with `settings`: the version `name`, or the latest if `name` is empty.

    Raises:
        JobError: the named version does not exist, or it was written with other settings.
        OutputError: a version that an interrupted export left behind can't be put in place.
    """
    numbers: list[int] = []
    if matte_folder.is_dir():
        with writing(matte_folder):  # it may disappear at any time
            if any(work_folder(matte_folder).glob(f"{_SWAP}*")) or any(matte_folder.glob(f"v*/{_REPORT}")):
                with _guarding(matte_folder):
                    _mend(matte_folder)
            numbers = sorted(set(_numbers(matte_folder)), reverse=True)
    for number in numbers:
        version = _load(version_folder(matte_folder, number))
        if version is None or name not in ("", version.folder.name):
            continue
        differing = [key for key, value in settings.items() if version.facts.get(key) != value]
        if not differing:
            return version
        if name:
            was, now = version.facts.get(differing[0]), settings[differing[0]]
            raise JobError(
                f"{name} holds other {differing[0]}: {was}; now it would be {now}.",
                where="delivery.into",
                hint="Export as it was written, or write a new version.",
            )
    if name:
        raise JobError(f"There is no {name} in {matte_folder}.", where="delivery.into", hint="Write a new version.")
    return None


def published(matte_folder: Path, submission: str) -> Path | None:
    """The folder of the version that was exported for a farm's submission; None if there is none yet."""
    if not matte_folder.is_dir():
        return None
    for number in sorted(set(_numbers(matte_folder)), reverse=True):
        folder = version_folder(matte_folder, number)
        documents = (version_document(folder), folder / _REPORT)  # the report is inside the version until it is moved
        if folder.is_dir() and submission in [read_or("", functools.partial(_submission, file)) for file in documents]:
            return folder
    return None


def _submission(document: Path) -> str:
    return str(json.loads(document.read_bytes())["job"]["delivery"].get("submission", ""))


class Pieces:
    """Frames of a version that farms write ahead.

    Any number of processes may write at once: files appear complete, and every process would write the same bytes.
    """

    def __init__(self, matte_folder: Path, key: str) -> None:
        self._matte_folder = matte_folder
        self.folder = work_folder(matte_folder) / f"{_PIECES}{key}"

    def has(self, name: str) -> bool:
        """Whether the file `name` is finished."""
        return (self.folder / name).exists()

    def add(self, name: str, write: Callable[[BinaryIO], None]) -> None:
        """Write one file, as Partial.add does."""
        path = self.folder / name
        with writing(self._matte_folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, write)


class Partial:
    """An unfinished version. `claim` makes it."""

    def __init__(self, matte_folder: Path, folder: Path, owner: Ownership) -> None:
        self._matte_folder = matte_folder
        self._folder = folder
        self._owner = owner

    def has(self, name: str) -> bool:
        """Whether the file `name` is finished."""
        return (self._folder / name).exists()

    def check_has(self, names: Iterable[str]) -> None:
        """Raises OutputError if a file is missing. The program does not delete them, but a person may."""
        for name in names:
            if not self.has(name):
                raise OutputError(
                    f"{name} was written and is gone.",
                    where=str(self._folder),
                    hint="Something deletes files there. Export again.",
                )

    def add(self, name: str, write: Callable[[BinaryIO], None]) -> None:
        """Write one file. `name` may contain sub-folders. Several threads may call it with different names.

        Raises OutputError that names the matte folder.
        """
        self._owner.check()
        with writing(self._matte_folder):
            for folder in reversed(PurePosixPath(name).parents[:-1]):
                (self._folder / folder).mkdir(exist_ok=True)
            write_file(self._folder / name, write)

    def take(self, pieces: Pieces) -> None:
        """Move the files that were written ahead into this version. Raises OutputError."""
        self._owner.check()
        with writing(self._matte_folder):
            for source in [path for path in pieces.folder.rglob("*") if path.is_file()]:
                if source.name.startswith("."):  # unfinished
                    continue
                target = self._folder / source.relative_to(pieces.folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                with contextlib.suppress(FileNotFoundError):
                    patiently(functools.partial(source.replace, target))
        discard(pieces.folder)

    def publish(self, document: str, submission: str = "") -> Path:
        """Publish it as the next version, with `document` as its vNNN.json. Raises OutputError.

        Returns the version's folder. If `submission` has a version already, this one is discarded, and the folder of
        that one is returned.
        """
        with writing(self._matte_folder), _guarding(self._matte_folder):
            if submission and (there := published(self._matte_folder, submission)):
                self.discard()
                return there
            # the report is inside: if this process is killed now, the next one moves it out of the folder
            write_data(self._folder / _REPORT, document.encode())
            _sync_folders(self._folder)
            self._owner.check()
            version = version_folder(self._matte_folder, max(_numbers(self._matte_folder), default=0) + 1)
            patiently(lambda: self._folder.rename(version))  # the system does not allow it onto another version
            sync_folder(self._matte_folder)
            _mend(self._matte_folder)
            _remove_abandoned(self._folder.parent)
        return version

    def size(self) -> int:
        """The size of the finished files in bytes."""
        return _size(self._folder)

    def discard(self) -> None:
        """Delete the unfinished version."""
        discard(self._folder)

    def take_over(self, base: Version) -> None:
        """Copy the files that only `base` has. Raises OutputError."""
        with writing(self._matte_folder):
            self._fill(base, lambda source, target: shutil.copyfile(source, target))

    def replace(self, base: Version, document: str) -> Path:
        """Replace `base` by this version plus the files that only `base` has. `document` becomes its vNNN.json.

        Returns the folder. Raises OutputError, also if another export has changed `base` in the meantime; then `base`
        is left as it is.
        """
        with writing(self._matte_folder), _guarding(self._matte_folder) as guard:
            now = _load(base.folder)
            if now is None or now.stamp != base.stamp:
                raise _changed(base)
            self._fill(base, _link)
            _sync_folders(self._folder)
            swap = self._folder.with_name(f"{_SWAP}{base.folder.name}-{base.stamp[:_STAMP_LENGTH]}")
            making = swap.with_name(f"{swap.name}.{self._owner.token}.part")
            making.mkdir()
            write_data(making / "document", document.encode())
            patiently(lambda: self._folder.rename(making / "new"))
            (making / "new" / _INCOMING).touch()
            guard.check()
            patiently(lambda: making.rename(swap))
            sync_folder(swap.parent)
            _mend(self._matte_folder)
            _remove_abandoned(swap.parent)
            now = _load(base.folder)
            if now is None or now.stamp != hashlib.sha256(document.encode()).hexdigest():
                raise _changed(base)
        return base.folder

    def _fill(self, base: Version, put: Callable[[Path, Path], object]) -> None:
        for source in base.folder.rglob("*"):
            target = self._folder / source.relative_to(base.folder)
            if source.is_file() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                unfinished = target.with_name(".taken-over.part")
                put(source, unfinished)
                patiently(functools.partial(unfinished.replace, target))


def _changed(base: Version) -> OutputError:
    return OutputError(
        f"Another export has changed {base.folder.name} meanwhile.", where=str(base.folder), hint="Export again."
    )


def _guarding(matte_folder: Path) -> contextlib.AbstractContextManager[Ownership]:
    """Own the version numbers for a moment. Raises OSError, or after `_PATIENCE` HeldError, which names the owner."""
    return owning(work_folder(matte_folder) / ".versions", _PATIENCE)


@contextlib.contextmanager
def claim(matte_folder: Path, key: str, patience: float | None = None) -> Iterator[Partial]:
    """Own the unfinished version of `key`: the one that an earlier run has left, or a new one.

    Args:
        patience: seconds to wait for another process that writes the same; None: write it a second time.

    Raises OutputError if the folder can't be written to, or if the other process takes longer than `patience`.
    """
    work = work_folder(matte_folder)
    with writing(matte_folder):
        work.mkdir(parents=True, exist_ok=True)
        alone = None if patience is None else acquire(work / f"{_PREFIX}{key}", patience)
        with _guarding(matte_folder):
            _mend(matte_folder)
            name, owner = (f"{_PREFIX}{key}", alone) if alone else _take(work, key)
            folder = work / f"{name}.{owner.token}"
            try:
                _take_over(work, name, folder)
                for unfinished in folder.rglob(".*.part"):
                    patiently(unfinished.unlink)
            except BaseException:
                owner.release()
                raise
    try:
        yield Partial(matte_folder, folder, owner)
    finally:
        with contextlib.suppress(OSError, OutputError), _guarding(matte_folder):
            owner.release(forget=not folder.exists())
        owner.release()


def unfinished_size(matte_folder: Path) -> int:
    """The size in bytes of all unfinished versions. They are continued, or removed once a version is published."""
    return sum(map(_size, work_folder(matte_folder).glob(f"{_PREFIX}*")))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _take(work: Path, key: str) -> tuple[str, Ownership]:
    """Acquire the first name for `key` that no process owns. The caller owns `.versions`."""
    for i in itertools.count(1):
        name = f"{_PREFIX}{key}" if i == 1 else f"{_PREFIX}{key}-{i}"
        with contextlib.suppress(HeldError):
            return name, acquire(work / name, None)
    raise AssertionError


def _folders(work: Path, name: str) -> list[Path]:
    return [folder for folder in work.glob(f"{name}.*") if folder.is_dir()]


def _take_over(work: Path, name: str, folder: Path) -> None:
    """Make `folder` from the files of an earlier owner, which loses them. Raises OSError."""
    for left in _folders(work, name):
        if folder.exists():
            discard(left)
        else:
            patiently(functools.partial(left.rename, folder))
    folder.mkdir(exist_ok=True)


def _remove_abandoned(work: Path) -> None:
    for name in {folder.name.rpartition(".")[0] for folder in _folders(work, f"{_PREFIX}*")}:
        with contextlib.suppress(HeldError):
            owner = acquire(work / name, None)
            for folder in _folders(work, name):
                discard(folder)
            owner.release(forget=True)
    for pieces in work.glob(f"{_PIECES}*"):
        with contextlib.suppress(OSError):
            if time.time() - pieces.stat().st_mtime > _PIECES_STAY:
                discard(pieces)


def _mend(matte_folder: Path) -> None:
    """Complete the publishing of versions that was interrupted. The caller owns `.versions`.

    Raises OSError; or OutputError if a program prevents the old version from being moved, which then stays in place.
    """
    work = work_folder(matte_folder)
    for swap in work.glob(f"{_SWAP}v*"):
        name, _, stamp = swap.name.removeprefix(_SWAP).partition("-")
        version, new = matte_folder / name, swap / "new"
        if swap.suffix == ".part" or not _is_for(swap, version, stamp):
            discard(swap)
            continue
        if (new / _INCOMING).exists():
            _put_in_place(new, version, swap / "old")
        patiently(functools.partial((version / _INCOMING).unlink, missing_ok=True))
        if (swap / "document").exists():
            patiently(functools.partial((swap / "document").replace, version_document(version)))
        sync_folder(matte_folder)
        discard(swap)
    for report in matte_folder.glob(f"v*/{_REPORT}"):
        patiently(functools.partial(report.replace, version_document(report.parent)))
        sync_folder(matte_folder)


def _is_for(swap: Path, version: Path, stamp: str) -> bool:
    """Whether `swap` was made from the current state of `version`. Otherwise it would undo later changes."""
    if not (swap / "document").exists():  # the new version is in place already
        return True
    now = _load(version)
    return now is None or now.stamp.startswith(stamp)


def _put_in_place(new: Path, version: Path, old: Path) -> None:
    """Rename `new` to `version`: atomically if the system can exchange names; otherwise `version` becomes `old`."""
    try:
        if version.exists():
            if exchange(new, version):
                return
            patiently(lambda: version.rename(old))
        patiently(lambda: new.rename(version))
    except PermissionError:  # Windows does not rename a folder in which a file is open
        if old.exists():
            patiently(lambda: old.rename(version))
        raise OutputError(
            f"{version.name} is in use.",
            where=str(version),
            hint="Close what has its files open and export again: all is written and waits to take its place.",
        ) from None


def _link(source: Path, target: Path) -> None:
    """Make a hard link, or a copy if the file system has no hard links."""
    patiently(lambda: target.unlink(missing_ok=True))
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _load(folder: Path) -> Version | None:
    """Read a version. None if the folder or a valid report is missing."""

    def read() -> Version | None:
        text = version_document(folder).read_bytes()
        facts = json.loads(text)["report"]["export"]
        if not isinstance(facts, dict) or not folder.is_dir():
            return None
        return Version(folder, facts, hashlib.sha256(text).hexdigest())

    return read_or(None, read)


def _sync_folders(folder: Path) -> None:
    for path in (*(path for path in folder.rglob("*") if path.is_dir()), folder):
        sync_folder(path)


def _numbers(matte_folder: Path) -> list[int]:
    """The numbers of all version folders and vNNN.json files."""
    numbers = map(version_number, os.listdir(matte_folder))  # noqa: PTH208
    return [number for number in numbers if number is not None]
